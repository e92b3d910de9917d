#include "plugins/lowering/quantization.hpp"

#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/conversion.hpp"
#include "plugins/lowering/dtype.hpp"
#include "plugins/lowering/scalar.hpp"

namespace onnx2fx {

Value buffer(Node& n, size_t i) {
  const Value v = n.maybe_input(i);
  return v ? n.role(v, O2FX_ROLE_BUFFER) : v;
}

Value number_in(Node& n, Value v, int32_t dtype) {
  if (!v) return v;
  const int32_t from = dtype_if_known(n, v);
  return from ? converted(n, v, from, dtype) : to_dtype(n, v, dtype);
}

Value centred(Node& n, Value v, Value zero) {
  const Value x = number_in(n, v, kDouble);
  return zero ? n.call("aten::sub.Tensor", {x, zero}) : x;
}

Value dequantized(Node& n, Value v, Value scale, Value zero) {
  Value x = number_in(n, v, kFloat);
  if (zero) x = n.call("aten::sub.Tensor", {x, number_in(n, zero, kFloat)});
  return n.call("aten::mul.Tensor", {x, n.cast(scale, kFloat)});
}

Value rounded(Node& n, Value v, Value zero, int32_t to) {
  Value y = n.call("aten::round", {v});
  if (zero) y = n.call("aten::add.Tensor", {y, zero});
  const IntegerRange range = range_of(to);
  return to_dtype(n, n.call("aten::clamp", {y, range.least, range.greatest}), carrier_of(to));
}

Value spread(Node& n, Value v, Value x, Value of, const Granularity& g) {
  const int32_t rank = n.rank(of);
  if (rank == 0) return v;
  if (g.block > 0 && n.rank(x) == rank) {
    const int64_t axis = Node::axis(g.axis, rank);
    const Value each = n.call("aten::repeat_interleave.self_int", {v, g.block, axis});
    return n.call("aten::slice.Tensor", {each, axis, 0, n.dim(x, axis)});
  }
  if (rank > 1) throw Invalid("input 1: expected rank 0 or 1, got " + std::to_string(rank));
  if (n.rank(x) == 0) return as_scalar(n, v);
  if (n.rank(x) == 1 || n.dim(of, 0).is(1)) return v;
  return along(n, v, Node::axis(g.axis, n.rank(x)), n.rank(x));
}

Value by_channel(Node& n, Value v, Value parameter, size_t axes_after) {
  if (!v || n.rank(parameter) == 0) return v;
  return along(n, v, 0, static_cast<int64_t>(axes_after) + 1);
}

Value exact_convolution(Node& n, Value x, Value weight, Value x_zero, Value weight_zero,
                        const Windows& w) {
  if (x_zero) x_zero = number_in(n, as_scalar(n, x_zero), kDouble);
  weight_zero = by_channel(n, number_in(n, weight_zero, kDouble), weight_zero, w.axes + 1);
  Value input = centred(n, x, x_zero);
  const Value filter = centred(n, weight, weight_zero);
  const Ints padding = even_padding(n, input, w), none(w.axes, Int(0));
  return n.call("aten::convolution", {input, filter, nullptr, w.strides, padding, w.dilations,
                                      false, none, n.integer("group", 1)});
}

DynamicRange dynamic_range(Node& n, Value v, double flat) {
  Ints axes;  // one by one: torch.onnx.export knows of no amax without
  for (int32_t i = 0; i < n.info(v).raw.rank; i++) axes.push_back(i);
  const Value most = n.call("aten::clamp", {n.call("aten::amax", {v, axes}), 0});
  const Value least = n.call("aten::clamp", {n.call("aten::amin", {v, axes}), nullptr, 0});
  const Value width = n.call("aten::sub.Tensor", {most, least});
  const Value empty = n.call("aten::eq.Scalar", {width, 0});
  const Value scale =
      n.call("aten::masked_fill.Scalar", {n.call("aten::div.Scalar", {width, 255}), empty, flat});
  const Value from = n.call("aten::neg", {n.call("aten::div.Tensor", {least, scale})});
  return {scale, n.call("aten::round", {n.call("aten::clamp", {from, 0, 255})})};
}

}  // namespace onnx2fx
