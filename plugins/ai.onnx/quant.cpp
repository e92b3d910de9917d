// Quantization: QuantizeLinear and DequantizeLinear, and the ops that compute on quantized tensors.
// Sums of products of 8-bit integers are computed in double, which holds them exactly, has kernels
// for matmul and convolution on every device, and is what ONNX's reference scales the sums in.
#include <algorithm>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/conversion.hpp"
#include "plugins/lowering/dtype.hpp"
#include "plugins/lowering/windows.hpp"

using namespace onnx2fx;

namespace {

Value scale_or_zero(Node& n, size_t i) {
  const Value v = n.maybe_input(i);
  return v ? n.role(v, O2FX_ROLE_BUFFER) : v;
}

// v as its number in `dtype`, whatever type it travels in.
Value number_in(Node& n, Value v, int32_t dtype) { return converted(n, v, n.dtype(v), dtype); }

// ---- granularity

struct Granularity {
  int64_t axis = 1, block = 0;
};
Granularity read_granularity(Node& n) {
  Granularity g;
  if (n.opset() >= 13) g.axis = n.integer("axis");
  if (n.opset() >= 21) g.block = n.integer("block_size");
  return g;
}

// A scale or zero point, shaped so that it broadcasts to x: one element, one for each position
// along an axis, or one for each block along it.
Value spread(Node& n, Value v, Value x, Value of, const Granularity& g) {
  const int32_t rank = n.rank(of);
  if (rank == 0) return v;
  if (g.block > 0 && n.rank(x) == rank) {
    const int64_t axis = Node::axis(g.axis, rank);
    const Value each = n.call("aten::repeat_interleave.self_int", {v, g.block, axis});
    return n.call("aten::slice.Tensor", {each, axis, 0, n.dim(x, axis)});
  }
  if (rank > 1) throw Invalid("input 1: expected rank 0 or 1, got " + std::to_string(rank));
  if (n.rank(x) == 0) return n.call("aten::reshape", {v, Ints{}});
  if (n.rank(x) == 1 || n.dim(of, 0).is(1)) return v;
  return along(n, v, Node::axis(g.axis, n.rank(x)), n.rank(x));
}

// ---- QuantizeLinear, DequantizeLinear

// Rounds v / scale and adds the zero point; the type's range cuts what is out of it. v is in a
// floating type, zero (may be none) in float.
Value quantized(Node& n, Value v, Value zero, int32_t to, bool saturate) {
  if (!is_integer(to)) {
    if (zero && is_float_grid(to)) v = n.call("aten::add.Tensor", {v, zero});
    return converted(n, v, kFloat, to, {saturate, "up"});
  }
  Value y = n.call("aten::round", {v});
  if (zero) y = n.call("aten::add.Tensor", {y, zero});
  const IntegerRange range = range_of(to);
  return to_dtype(n, n.call("aten::clamp", {y, range.least, range.greatest}), carrier_of(to));
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
  const Value x = n.input(0), scale = scale_or_zero(n, 1), zero = scale_or_zero(n, 2);
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

void dequantize_linear(Node& n) {
  const Value x = n.input(0), scale = scale_or_zero(n, 1), zero = scale_or_zero(n, 2);
  const Granularity g = read_granularity(n);
  const int64_t stated = n.opset() >= 23 ? n.integer("output_dtype") : 0;
  const int32_t to = stated ? static_cast<int32_t>(stated) : n.dtype(scale);
  Value y = number_in(n, x, kFloat);
  if (zero && is_integer(n.dtype(x)))
    y = n.call("aten::sub.Tensor", {y, spread(n, number_in(n, zero, kFloat), x, zero, g)});
  y = n.call("aten::mul.Tensor", {y, spread(n, number_in(n, scale, kFloat), x, scale, g)});
  n.output(to == kFloat ? y : to_dtype(n, y, to));
}

// The range of x, widened to hold 0, is mapped on 0 to 255.
void dynamic_quantize_linear(Node& n) {
  const Value x = n.input(0);
  const Value most = n.call("aten::clamp", {n.call("aten::amax", {x}), 0});
  const Value least = n.call("aten::clamp", {n.call("aten::amin", {x}), nullptr, 0});
  const Value width = n.call("aten::sub.Tensor", {most, least});
  const Value empty = n.call("aten::eq.Scalar", {width, 0});
  const Value scale =
      n.call("aten::div.Scalar", {n.call("aten::masked_fill.Scalar", {width, empty, 1}), 255});
  const Value from = n.call("aten::neg", {n.call("aten::div.Tensor", {least, scale})});
  const Value zero = n.call("aten::round", {n.call("aten::clamp", {from, 0, 255})});
  const Value y = quantized(n, n.call("aten::div.Tensor", {x, scale}), zero, kUint8, true);
  n.outputs({y, scale, to_dtype(n, zero, kUint8)});
}

// ---- products of integers

// v minus its zero point, in double.
Value centred(Node& n, Value v, Value zero) {
  const Value x = number_in(n, v, kDouble);
  return zero ? n.call("aten::sub.Tensor", {x, zero}) : x;
}

// A parameter of the left operand of a matmul: a vector has one element for each row.
Value by_row(Node& n, Value parameter, Value matrix) {
  if (!parameter) return parameter;
  const Value v = number_in(n, parameter, kDouble);
  const bool vector = n.rank(parameter) == 1 && !n.dim(parameter, 0).is(1);
  return vector && n.rank(matrix) > 1 ? n.call("aten::unsqueeze", {v, -1}) : v;
}
// One of the right operand: a vector has one element for each column.
Value by_column(Node& n, Value parameter) {
  return parameter ? number_in(n, parameter, kDouble) : parameter;
}

void mat_mul_integer(Node& n) {
  const Value a = n.input(0), b = n.input(1);
  const Value x = centred(n, a, by_row(n, scale_or_zero(n, 2), a));
  const Value y = centred(n, b, by_column(n, scale_or_zero(n, 3)));
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
  Value a_scale = scale_or_zero(n, 1), y_scale = scale_or_zero(n, 6);
  const Value b_scale = scale_or_zero(n, 4), y_zero = scale_or_zero(n, 7);
  const Value x = centred(n, a, by_row(n, scale_or_zero(n, 2), a));
  const Value y = centred(n, b, by_column(n, scale_or_zero(n, 5)));
  for (Value* scale : {&a_scale, &y_scale})
    if (n.rank(*scale) == 1 && !n.dim(*scale, 0).is(1) && n.rank(a) > 1)
      *scale = n.call("aten::unsqueeze", {*scale, -1});
  const Value product = n.call("aten::matmul", {x, y});
  n.output(requantized(n, rescaled(n, product, a_scale, b_scale, y_scale), y_zero));
}

// A parameter of a convolution's weight or output: a vector has one element for each output
// channel.
Value by_channel(Node& n, Value v, Value parameter, size_t axes_after) {
  if (n.rank(parameter) == 0) return v;
  return along(n, v, 0, static_cast<int64_t>(axes_after) + 1);
}

// The convolution of x and weight, both in double, and without a zero point.
Value exact_convolution(Node& n, Value x, Value weight, Value x_zero, Value weight_zero) {
  const size_t axes = static_cast<size_t>(n.rank(weight, 3)) - 2;
  n.ignore("kernel_shape");  // the weight says it
  Ints kernel;
  for (size_t i = 0; i < axes; i++) kernel.push_back(n.dim(weight, static_cast<int64_t>(i) + 2));
  const Windows w = read_windows(n, x, kernel);
  if (x_zero) x_zero = n.call("aten::reshape", {number_in(n, x_zero, kDouble), Ints{}});
  if (weight_zero)
    weight_zero = by_channel(n, number_in(n, weight_zero, kDouble), weight_zero, axes + 1);
  Value input = centred(n, x, x_zero);
  const Value filter = centred(n, weight, weight_zero);
  const Ints padding = even_padding(n, input, w);
  const Ints none(axes, Int(0));
  return n.call("aten::convolution", {input, filter, nullptr, w.strides, padding, w.dilations,
                                      false, none, n.integer("group", 1)});
}

void conv_integer(Node& n) {
  const Value x = n.input(0), weight = n.input(1);
  const Value y = exact_convolution(n, x, weight, scale_or_zero(n, 2), scale_or_zero(n, 3));
  n.output(to_dtype(n, y, kInt32));
}

void qlinear_conv(Node& n) {
  const Value x = n.input(0), weight = n.input(3), bias = n.maybe_input(8);
  const size_t axes = static_cast<size_t>(n.rank(weight, 3)) - 2;
  Value sum = exact_convolution(n, x, weight, scale_or_zero(n, 2), scale_or_zero(n, 5));
  if (bias) {
    n.role(bias, O2FX_ROLE_BUFFER);
    const Value each = by_channel(n, number_in(n, bias, kDouble), bias, axes);
    sum = n.call("aten::add.Tensor", {sum, each});
  }
  const Value weight_scale = scale_or_zero(n, 4);
  const Value scale = by_channel(n, weight_scale, weight_scale, axes);
  const Value y = rescaled(n, sum, scale_or_zero(n, 1), scale, scale_or_zero(n, 6));
  n.output(requantized(n, y, scale_or_zero(n, 7)));
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
