// Quantization: QuantizeLinear and DequantizeLinear, and the ops that compute on quantized tensors.

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/conversion.hpp"
#include "plugins/lowering/dtype.hpp"
#include "plugins/lowering/quantization.hpp"

using namespace onnx2fx;

namespace {

// ---- granularity

Granularity read_granularity(Node& n) {
  Granularity g;
  if (n.opset() >= 13) g.axis = n.integer("axis");
  if (n.opset() >= 21) g.block = n.integer("block_size");
  return g;
}

// ---- QuantizeLinear, DequantizeLinear

// Rounds v / scale and adds the zero point; the type's range cuts what is out of it. v is in a
// floating type, zero (may be none) in float.
Value quantized(Node& n, Value v, Value zero, int32_t to, bool saturate) {
  if (!is_integer(to)) {
    if (zero && is_float_grid(to)) v = n.call("aten::add.Tensor", {v, zero});
    return converted(n, v, kFloat, to, {saturate, "up"});
  }
  return rounded(n, v, zero, to);
}

int32_t quantized_type(Node& n, Value zero) {
  const int64_t stated = n.opset() >= 21 ? n.integer("output_dtype") : 0;
  if (!zero) return stated ? static_cast<int32_t>(stated) : static_cast<int32_t>(kUint8);
  const int32_t dtype = n.dtype(zero);
  if (stated && stated != dtype)
    throw Invalid("attribute 'output_dtype': expected the zero point's type " +
                  std::to_string(dtype) + ", got " + std::to_string(stated));
  return dtype;
}

// The type that x is divided by its scale in.
int32_t division_type(Node& n, Value x, Value scale) {
  const int64_t precision = n.opset() >= 23 ? n.integer("precision") : 0;
  if (precision) return static_cast<int32_t>(precision);
  const int32_t a = n.dtype(x), b = n.dtype(scale);
  return a == b && (a == kFloat16 || a == kBfloat16) ? a : static_cast<int32_t>(kFloat);
}

void quantize_linear(Node& n) {
  const Value x = n.input(0), scale = buffer(n, 1), zero = buffer(n, 2);
  const Granularity g = read_granularity(n);
  const bool saturate = n.opset() >= 19 ? n.flag("saturate") : true;
  const int32_t to = quantized_type(n, zero), in = division_type(n, x, scale);
  const Value by = spread(n, number_in(n, scale, in), x, scale, g);
  Value y = n.call("aten::div.Tensor", {number_in(n, x, in), by});
  if (in != kFloat) y = to_dtype(n, y, kFloat);
  const bool shifts = zero && !is_float8(to);
  const Value offset = shifts ? spread(n, number_in(n, zero, kFloat), x, zero, g) : Value{};
  n.output(quantized(n, y, offset, to, saturate));
}

// A stored weight takes on the type that its scale has by then: .double() and .half() reach the
// scale, and so the weight.
Value as_scale(Node& n, Value v, Value scale, bool stored) {
  const int32_t dtype = n.dtype(v);
  const bool follows =
      stored && n.dtype(scale) == kFloat && is_integer(dtype) && bits_in(dtype) >= 8;
  return follows ? n.call("aten::to.other", {v, scale}) : number_in(n, v, kFloat);
}

void dequantize_linear(Node& n) {
  const Value x = n.input(0), scale = buffer(n, 1), zero = buffer(n, 2);
  const Granularity g = read_granularity(n);
  const int64_t stated = n.opset() >= 23 ? n.integer("output_dtype") : 0;
  const int32_t to = stated ? static_cast<int32_t>(stated) : n.dtype(scale);
  const bool stored = n.info(x).raw.is_const && to == kFloat;
  Value y = as_scale(n, x, scale, stored);
  if (zero && is_integer(n.dtype(x)))
    y = n.call("aten::sub.Tensor", {y, spread(n, as_scale(n, zero, scale, stored), x, zero, g)});
  y = n.call("aten::mul.Tensor", {y, spread(n, number_in(n, scale, kFloat), x, scale, g)});
  n.output(to == kFloat ? y : to_dtype(n, y, to));
}

void dynamic_quantize_linear(Node& n) {
  const Value x = n.input(0);
  const DynamicRange r = dynamic_range(n, x, 1.0 / 255);  // ONNX Runtime's scale of zeros is 1
  const Value y = rounded(n, n.call("aten::div.Tensor", {x, r.scale}), r.zero, kUint8);
  n.outputs({y, r.scale, to_dtype(n, r.zero, kUint8)});
}

// ---- products of integers

// A parameter of the left operand of a matmul: a vector has one element for each row. (One of the
// right operand has one for each column, as numpy broadcasts it.)
Value by_row(Node& n, Value parameter, Value matrix) {
  if (!parameter) return parameter;
  const Value v = number_in(n, parameter, kDouble);
  const bool vector = n.rank(parameter) == 1 && !n.dim(parameter, 0).is(1);
  return vector && n.rank(matrix) > 1 ? n.call("aten::unsqueeze", {v, -1}) : v;
}

void mat_mul_integer(Node& n) {
  const Value a = n.input(0), b = n.input(1);
  const Value x = centred(n, a, by_row(n, buffer(n, 2), a));
  const Value y = centred(n, b, number_in(n, buffer(n, 3), kDouble));
  n.output(to_dtype(n, n.call("aten::matmul", {x, y}), kInt32));
}

// sum * (a * b / y) as the reference has it: the factor in the scales' own type, the product in
// double.
Value rescaled(Node& n, Value sum, Value a, Value b, Value y) {
  const Value factor = n.call("aten::div.Tensor", {n.call("aten::mul.Tensor", {a, b}), y});
  return n.call("aten::mul.Tensor", {sum, to_dtype(n, factor, kDouble)});
}

Value requantized(Node& n, Value v, Value zero) {
  const int32_t to = n.dtype(zero);
  if (!is_integer(to)) return converted(n, v, kDouble, to);
  return quantized(n, v, number_in(n, zero, kDouble), to, true);
}

void qlinear_mat_mul(Node& n) {
  const Value a = n.input(0), b = n.input(3);
  Value a_scale = buffer(n, 1), y_scale = buffer(n, 6);
  const Value b_scale = buffer(n, 4), y_zero = buffer(n, 7);
  const Value x = centred(n, a, by_row(n, buffer(n, 2), a));
  const Value y = centred(n, b, number_in(n, buffer(n, 5), kDouble));
  for (Value* scale : {&a_scale, &y_scale})
    if (n.rank(*scale) == 1 && !n.dim(*scale, 0).is(1) && n.rank(a) > 1)
      *scale = n.call("aten::unsqueeze", {*scale, -1});
  const Value product = n.call("aten::matmul", {x, y});
  n.output(requantized(n, rescaled(n, product, a_scale, b_scale, y_scale), y_zero));
}

void conv_integer(Node& n) {
  const Value x = n.input(0), weight = n.input(1);
  const Windows w = read_windows(n, x, kernel_of(n, weight));
  const Value y = exact_convolution(n, x, weight, buffer(n, 2), buffer(n, 3), w);
  n.output(to_dtype(n, y, kInt32));
}

void qlinear_conv(Node& n) {
  const Value x = n.input(0), weight = n.input(3), bias = buffer(n, 8);
  const Windows w = read_windows(n, x, kernel_of(n, weight));
  Value sum = exact_convolution(n, x, weight, buffer(n, 2), buffer(n, 5), w);
  if (bias)
    sum =
        n.call("aten::add.Tensor", {sum, by_channel(n, number_in(n, bias, kDouble), bias, w.axes)});
  const Value weight_scale = buffer(n, 4);
  const Value scale = by_channel(n, weight_scale, weight_scale, w.axes);
  const Value y = rescaled(n, sum, buffer(n, 1), scale, buffer(n, 6));
  n.output(requantized(n, y, buffer(n, 7)));
}

constexpr o2fx_op kOps[] = {
    op("ConvInteger", 10, lower<conv_integer>),
    op("DequantizeLinear", 10, lower<dequantize_linear>),
    op("DynamicQuantizeLinear", 11, lower<dynamic_quantize_linear>),
    op("MatMulInteger", 10, lower<mat_mul_integer>),
    op("QLinearConv", 10, lower<qlinear_conv>),
    op("QLinearMatMul", 10, lower<qlinear_mat_mul>),
    op("QuantizeLinear", 10, lower<quantize_linear>),
};

}  // namespace

const Family kQuant = family(kOps);
