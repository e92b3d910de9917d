// The arithmetic of rotary embeddings, for every operator that has one.
#ifndef ONNX2FX_PLUGINS_LOWERING_ROTATION_HPP_
#define ONNX2FX_PLUGINS_LOWERING_ROTATION_HPP_

#include <limits>
#include <onnx2fx/plugin.hpp>

namespace onnx2fx {

/// The two halves of a head, or its even and odd elements, turned by the angles. The whole last
/// axis of x is rotated; cos and sin broadcast to half of it.
inline Value rotate_pairs(Node& n, Value x, Value cos, Value sin, bool interleaved) {
  const int64_t end = std::numeric_limits<int64_t>::max();
  const Values parts = interleaved ? Values{n.call("aten::slice.Tensor", {x, -1, 0, end, 2}),
                                            n.call("aten::slice.Tensor", {x, -1, 1, end, 2})}
                                   : n.calls(2, "aten::chunk", {x, 2, -1});
  const auto mul = [&](Value a, Value b) { return n.call("aten::mul.Tensor", {a, b}); };
  const Value real = n.call("aten::sub.Tensor", {mul(parts[0], cos), mul(parts[1], sin)});
  const Value imaginary = n.call("aten::add.Tensor", {mul(parts[0], sin), mul(parts[1], cos)});
  if (!interleaved) return n.call("aten::cat", {Values{real, imaginary}, -1});
  return n.call("aten::flatten.using_ints",
                {n.call("aten::stack", {Values{real, imaginary}, -1}), -2, -1});
}

}  // namespace onnx2fx

#endif
