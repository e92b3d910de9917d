#include "plugins/com.microsoft/quantization.hpp"

#include "plugins/lowering/conversion.hpp"

using namespace onnx2fx;

namespace contrib {

Value buffer(Node& n, size_t i) {
  const Value v = n.maybe_input(i);
  return v ? n.role(v, O2FX_ROLE_BUFFER) : v;
}

static Value in(Node& n, Value v, int32_t dtype) {
  return n.call("aten::to.dtype", {v, Dtype{dtype}});
}

Value centred(Node& n, Value v, Value zero) {
  const Value x = in(n, v, kDouble);
  return zero ? n.call("aten::sub.Tensor", {x, in(n, zero, kDouble)}) : x;
}

Value dequantized(Node& n, Value v, Value scale, Value zero) {
  Value x = in(n, v, kFloat);
  if (zero) x = n.call("aten::sub.Tensor", {x, in(n, zero, kFloat)});
  return n.call("aten::mul.Tensor", {x, n.cast(scale, kFloat)});
}

Value rounded(Node& n, Value v, Value zero, int32_t to) {
  Value y = n.call("aten::round", {v});
  if (zero) y = n.call("aten::add.Tensor", {y, in(n, zero, kFloat)});
  const IntegerRange range = range_of(to);
  return in(n, n.call("aten::clamp", {y, range.least, range.greatest}), carrier_of(to));
}

Value quantized(Node& n, Value v, Value scale, Value zero, int32_t to) {
  return rounded(n, n.call("aten::div.Tensor", {v, n.cast(scale, kFloat)}), zero, to);
}

Dynamic dynamically_quantized(Node& n, Value v) {
  const Value most = n.call("aten::clamp", {n.call("aten::amax", {v}), 0});
  const Value least = n.call("aten::clamp", {n.call("aten::amin", {v}), nullptr, 0});
  const Value width = n.call("aten::sub.Tensor", {most, least});
  const Value flat = n.call("aten::eq.Scalar", {width, 0});
  const Value scale =
      n.call("aten::masked_fill.Scalar", {n.call("aten::div.Scalar", {width, 255}), flat, 1});
  const Value from = n.call("aten::neg", {n.call("aten::div.Tensor", {least, scale})});
  const Value zero = n.call("aten::round", {n.call("aten::clamp", {from, 0, 255})});
  const Value steps = n.call("aten::round", {n.call("aten::div.Tensor", {v, scale})});
  const Value q = n.call("aten::clamp", {n.call("aten::add.Tensor", {steps, zero}), 0, 255});
  return {in(n, n.call("aten::sub.Tensor", {q, zero}), kDouble), scale};
}

}  // namespace contrib
