// The softmax family before opset 13: the axes from one on count as one.
#ifndef ONNX2FX_PLUGINS_LOWERING_SOFTMAX_HPP_
#define ONNX2FX_PLUGINS_LOWERING_SOFTMAX_HPP_

#include <onnx2fx/plugin.hpp>

namespace onnx2fx {

/// f(v, axis), which keeps the shape, over the axes of x from `axis` on.
template <class F>
Value over_axes_from(Node& n, Value x, int64_t axis, F f) {
  const bool known = n.rank_known(x);
  if (known) Node::axis(axis, n.rank(x));
  if (axis == -1 || (known && axis == n.rank(x) - 1)) return f(x, axis);
  const Value flat = n.call("aten::flatten.using_ints", {x, axis, -1});
  return n.call("aten::reshape_as", {f(flat, -1), x});
}

}  // namespace onnx2fx

#endif
