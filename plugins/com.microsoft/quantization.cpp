#include "plugins/com.microsoft/quantization.hpp"

#include "plugins/lowering/dtype.hpp"

using namespace onnx2fx;

namespace contrib {

Value quantized(Node& n, Value v, Value scale, Value zero, int32_t to) {
  const Value steps = n.call("aten::div.Tensor", {v, n.cast(scale, kFloat)});
  return rounded(n, steps, number_in(n, zero, kFloat), to);
}

Dynamic dynamically_quantized(Node& n, Value v) {
  const DynamicRange r = dynamic_range(n, v, 1);
  const Value steps = n.call("aten::round", {n.call("aten::div.Tensor", {v, r.scale})});
  const Value q = n.call("aten::clamp", {n.call("aten::add.Tensor", {steps, r.zero}), 0, 255});
  return {n.call("aten::sub.Tensor", {q, r.zero}), r.scale};
}

Value exact_product(Node& n, Value a, Value a_zero, Value b, Value b_zero) {
  return n.call("aten::matmul", {centred(n, a, number_in(n, a_zero, kDouble)),
                                 centred(n, b, number_in(n, b_zero, kDouble))});
}

}  // namespace contrib
