// Padding: a constant around a tensor, or the tensor itself continued past its edges.
#ifndef ONNX2FX_PLUGINS_LOWERING_PADDING_HPP_
#define ONNX2FX_PLUGINS_LOWERING_PADDING_HPP_

#include <onnx2fx/plugin.hpp>
#include <string>

namespace onnx2fx {

/// For each of the last axes of a tensor what is added before and after; negative: cut off.
struct Padding {
  Ints before, after;
};

/// x itself where there is nothing to add or cut.
Value padded(Node& n, Value x, const Padding& p, const Arg& fill = 0);
/// With elements of x, for all of its axes; mode: "reflect", "edge" or "wrap".
Value padded_by_itself(Node& n, Value x, Padding p, const std::string& mode);

}  // namespace onnx2fx

#endif
