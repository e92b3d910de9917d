// Products of matrices of 8-bit integers: QGemm, MatMulIntegerToFloat, DynamicQuantizeMatMul.
#include "plugins/com.microsoft/families.hpp"
#include "plugins/com.microsoft/quantization.hpp"

using namespace onnx2fx;
using namespace contrib;

namespace {

// A sum of products in float, times the scales.
Value scaled(Node& n, Value sum, Value a_scale, Value b_scale) {
  const Value factor = n.call("aten::mul.Tensor", {a_scale, b_scale});
  return n.call("aten::mul.Tensor", {n.call("aten::to.dtype", {sum, Dtype{kFloat}}), factor});
}

Value with_bias(Node& n, Value y, Value bias) {
  return bias ? n.call("aten::add.Tensor", {y, n.role(bias, O2FX_ROLE_PARAMETER)}) : y;
}

void matmul_integer_to_float(Node& n) {
  const Value a = n.input(0), b = n.role(n.input(1), O2FX_ROLE_BUFFER);
  const Value a_scale = buffer(n, 2), b_scale = buffer(n, 3), a_zero = buffer(n, 4);
  for (const Value v : {a_scale, a_zero})
    if (v && n.rank(v) > 0 && !n.dim(v, 0).is(1))
      throw Unsupported("inputs 'a_scale', 'a_zero_point': expected one element");
  if (n.dtype(a_scale) != kFloat) throw Unsupported("input 'a_scale': expected float");
  const Value sum = exact_product(n, a, a_zero, b, buffer(n, 5));
  const Value y = with_bias(n, scaled(n, sum, a_scale, b_scale), n.maybe_input(6));
  n.output(y);
}

void dynamic_quantize_matmul(Node& n) {
  const Value a = n.input(0), b = n.role(n.input(1), O2FX_ROLE_BUFFER);
  const Value b_scale = buffer(n, 2), b_zero = buffer(n, 3);
  const Dynamic q = dynamically_quantized(n, a);
  const Value sum = n.call(
      "aten::matmul", {n.cast(q.centred, kDouble), centred(n, b, number_in(n, b_zero, kDouble))});
  const Value y = with_bias(n, scaled(n, sum, q.scale, b_scale), n.maybe_input(4));
  n.output(y);
}

// C is a sum of products itself: int32 in the scale of the product.
void q_gemm(Node& n) {
  const Value a = n.input(0), b = n.role(n.input(3), O2FX_ROLE_BUFFER), c = buffer(n, 6);
  const bool transpose_a = n.flag("transA", false), transpose_b = n.flag("transB", false);
  Value x = centred(n, a, number_in(n, buffer(n, 2), kDouble)), y = number_in(n, b, kDouble);
  if (transpose_a) x = n.call("aten::t", {x});
  if (transpose_b) y = n.call("aten::t", {y});
  y = n.call("aten::sub.Tensor", {y, number_in(n, buffer(n, 5), kDouble)});
  Value sum = n.call("aten::mm", {x, y});
  if (c) sum = n.call("aten::add.Tensor", {sum, number_in(n, c, kDouble)});
  Value real = scaled(n, sum, buffer(n, 1), buffer(n, 4));
  const double alpha = n.real("alpha", 1.0);
  if (alpha != 1) real = n.call("aten::mul.Scalar", {real, alpha});
  const Value scale = buffer(n, 7), zero = buffer(n, 8);
  if (!scale) return n.output(real);
  const int32_t to = zero ? n.dtype(zero) : n.dtype(a);
  n.output(quantized(n, real, scale, zero, to));
}

constexpr o2fx_op kOps[] = {
    row("DynamicQuantizeMatMul", lower<dynamic_quantize_matmul>),
    row("MatMulIntegerToFloat", lower<matmul_integer_to_float>),
    row("QGemm", lower<q_gemm>),
};

}  // namespace

const Family kIntegerMatmul = family(kOps);
