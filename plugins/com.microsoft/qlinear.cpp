// Ops from quantized tensors to quantized tensors: QLinearAdd and its kin, QLinearConv; and
// QuantizeLinear, DequantizeLinear. What is no integer arithmetic is computed in float, as ONNX
// Runtime does; where it sums in another order its results may be a step away.
#include <algorithm>

#include "plugins/com.microsoft/channels.hpp"
#include "plugins/com.microsoft/families.hpp"
#include "plugins/com.microsoft/quantization.hpp"
#include "plugins/lowering/dtype.hpp"
#include "plugins/lowering/pooling.hpp"
#include "plugins/lowering/softmax.hpp"

using namespace onnx2fx;
using namespace contrib;

namespace {

// The real value of inputs i (quantized), i + 1 (scale) and i + 2 (zero point, may be omitted).
Value real_input(Node& n, size_t i) {
  return dequantized(n, n.input(i), buffer(n, i + 1), buffer(n, i + 2));
}

// v quantized by inputs i (scale) and i + 1 (zero point) to the type of x.
Value as_quantized(Node& n, Value v, size_t i, Value x) {
  return quantized(n, v, buffer(n, i), buffer(n, i + 1), n.dtype(x));
}

void binary(Node& n, const char* target) {
  const Value a = n.input(0);
  const Value y = n.call(target, {real_input(n, 0), real_input(n, 3)});
  n.output(as_quantized(n, y, 6, a));
}

void sigmoid(Node& n) {
  const Value y = n.call("aten::sigmoid", {real_input(n, 0)});
  n.output(as_quantized(n, y, 3, n.input(0)));
}

void leaky_relu(Node& n) {
  const Value y = n.call("aten::leaky_relu", {real_input(n, 0), n.real("alpha", 0.01)});
  n.output(as_quantized(n, y, 3, n.input(0)));
}

// Before opset 13 of the softmax it was made of, the axes from `axis` on count as one.
void softmax(Node& n) {
  const Value x = n.input(0);
  const int64_t opset = n.integer("opset");
  const int64_t axis = Node::axis(n.integer("axis", -1), n.rank(x, 1));
  const auto softmax = [&](Value v, int64_t a) { return n.call("aten::softmax.int", {v, a}); };
  const Value real = real_input(n, 0);
  const Value y = opset >= 13 ? softmax(real, axis) : over_axes_from(n, real, axis, softmax);
  n.output(as_quantized(n, y, 3, x));
}

void concat(Node& n) {
  if (n.n_inputs() < 5 || n.n_inputs() % 3 != 2)
    throw Invalid("expected inputs in threes after the first two, got " +
                  std::to_string(n.n_inputs()));
  const Value zero = buffer(n, 1), first = n.input(2);
  const int64_t axis = Node::axis(n.integer("axis"), n.rank(first, 1));
  Values parts;
  for (size_t i = 2; i < n.n_inputs(); i += 3) parts.push_back(real_input(n, i));
  const int32_t dtype = n.dtype(zero);
  const Value y = quantized(n, n.call("aten::cat", {parts, axis}), buffer(n, 0), zero, dtype);
  n.output(y);
}

void where(Node& n) {
  const Value condition = n.input(0), x = n.input(1);
  const Value y = n.call("aten::where.self", {condition, real_input(n, 1), real_input(n, 4)});
  n.output(as_quantized(n, y, 7, x));
}

void reduce_mean(Node& n) {
  const Value x = n.input(0);
  const std::vector<int64_t> axes = n.integers("axes");
  const bool keep = n.flag("keepdims", true);
  const Value y = n.call("aten::mean.dim", {real_input(n, 0), axes, keep});
  n.output(as_quantized(n, y, 3, x));
}

// ---- pools and convolution, perhaps with the channels last

// y has its channels at axis 1.
void output_where_channels_are(Node& n, Value y, bool last) {
  n.output(last ? channels_last(n, y) : y);
}

void global_average_pool(Node& n) {
  const Value x = n.input(0);
  const bool last = n.flag("channels_last", false);
  const int64_t rank = n.rank(x, 3);
  Ints axes;
  for (int64_t i = last ? 1 : 2; i < (last ? rank - 1 : rank); i++) axes.push_back(i);
  const Value y = n.call("aten::mean.dim", {real_input(n, 0), axes, true});
  n.output(as_quantized(n, y, 3, x));
}

void average_pool(Node& n) {
  const bool last = n.flag("channels_last", false);
  const Value x = last ? channels_first(n, n.input(0)) : n.input(0);
  const Value real = dequantized(n, x, buffer(n, 1), buffer(n, 2));
  const Pool p = read_pool(n, real);
  const Value y = averaged(n, p, n.flag("count_include_pad", false));
  output_where_channels_are(n, as_quantized(n, y, 3, n.input(0)), last);
}

void conv(Node& n) {
  const bool last = n.flag("channels_last", false);
  const Value x = last ? channels_first(n, n.input(0)) : n.input(0);
  const Value weight = n.role(n.input(3), O2FX_ROLE_BUFFER), bias = buffer(n, 8);
  const Windows w = read_windows(n, x, kernel_of(n, weight));
  Value y = exact_convolution(n, x, weight, buffer(n, 2), buffer(n, 5), w);
  if (bias)
    y = n.call("aten::add.Tensor", {y, by_channel(n, number_in(n, bias, kDouble), bias, w.axes)});
  const Value weight_scale = buffer(n, 4);
  Value factor =
      n.call("aten::mul.Tensor", {buffer(n, 1), by_channel(n, weight_scale, weight_scale, w.axes)});
  factor = n.call("aten::div.Tensor", {factor, buffer(n, 6)});
  y = n.call("aten::mul.Tensor", {y, factor});
  const int32_t dtype = n.dtype(n.input(7));
  output_where_channels_are(n, rounded(n, y, number_in(n, buffer(n, 7), kFloat), dtype), last);
}

// ---- QuantizeLinear, DequantizeLinear

void quantize_linear(Node& n) {
  const Value x = n.input(0), scale = buffer(n, 1), zero = buffer(n, 2);
  const Granularity g{n.integer("axis", 1)};
  const int32_t to = zero ? n.dtype(zero) : static_cast<int32_t>(kUint8);
  if (!is_integer(to)) throw Unsupported("input 2: expected an integer type");
  const Value offset = zero ? spread(n, zero, x, zero, g) : zero;
  n.output(quantized(n, n.cast(x, kFloat), spread(n, scale, x, scale, g), offset, to));
}

void dequantize_linear(Node& n) {
  const Value x = n.input(0), scale = buffer(n, 1), zero = buffer(n, 2);
  const Granularity g{n.integer("axis", 1)};
  const int32_t to = n.dtype(scale);
  const Value y =
      dequantized(n, x, spread(n, scale, x, scale, g), zero ? spread(n, zero, x, zero, g) : zero);
  n.output(to == kFloat ? y : to_dtype(n, y, to));
}

constexpr o2fx_op kOps[] = {
    row("DequantizeLinear", lower<dequantize_linear>),
    row_to("QLinearAdd", lower_to<binary>, "aten::add.Tensor"),
    row("QLinearAveragePool", lower<average_pool>),
    row("QLinearConcat", lower<concat>),
    row("QLinearConv", lower<conv>),
    row("QLinearGlobalAveragePool", lower<global_average_pool>),
    row("QLinearLeakyRelu", lower<leaky_relu>),
    row_to("QLinearMul", lower_to<binary>, "aten::mul.Tensor"),
    row("QLinearReduceMean", lower<reduce_mean>),
    row("QLinearSigmoid", lower<sigmoid>),
    row("QLinearSoftmax", lower<softmax>),
    row("QLinearWhere", lower<where>),
    row("QuantizeLinear", lower<quantize_linear>),
};

}  // namespace

const Family kQlinear = family(kOps);
