// 0, 1, 2, ... as tensors, and the shapes that line them up with an axis.
#ifndef ONNX2FX_PLUGINS_LOWERING_ARANGE_HPP_
#define ONNX2FX_PLUGINS_LOWERING_ARANGE_HPP_

#include <onnx2fx/plugin.hpp>

namespace onnx2fx {

/// On the device of a tensor.
inline Kwargs placed_like(Value beside, int32_t dtype) {
  return {{"dtype", Dtype{dtype}}, {"device", DeviceOf{beside}}};
}

/// 0, 1, ... count - 1 on the device of `beside`.
inline Value arange(Node& n, const Int& count, Value beside, int32_t dtype = kInt64) {
  return n.call("aten::arange", {count}, placed_like(beside, dtype));
}
/// start, ... end - 1.
inline Value arange_from(Node& n, const Int& start, const Int& end, Value beside,
                         int32_t dtype = kInt64) {
  return n.call("aten::arange.start", {start, end}, placed_like(beside, dtype));
}
/// arange in the given shape.
inline Value places(Node& n, const Int& count, Value beside, const Ints& shape,
                    int32_t dtype = kInt64) {
  return n.call("aten::reshape", {arange(n, count, beside, dtype), shape});
}

/// A shape of ones, save the extent of one axis; -1: what is left.
inline Ints shape_along(int64_t axis, int64_t rank, const Int& extent = -1) {
  Ints shape(static_cast<size_t>(rank), 1);
  shape[static_cast<size_t>(axis)] = extent;
  return shape;
}
/// A vector along `axis` of a result of that rank.
inline Value along(Node& n, Value vector, int64_t axis, int64_t rank) {
  return n.call("aten::reshape", {vector, shape_along(axis, rank)});
}

}  // namespace onnx2fx

#endif
