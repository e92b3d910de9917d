// Ops from quantized tensors to quantized tensors: QLinearAdd and its kin, QLinearConv; and
// QuantizeLinear, DequantizeLinear. What is no integer arithmetic is computed in float, as ONNX
// Runtime does; where it sums in another order its results may be a step away.
#include <algorithm>

#include "plugins/com.microsoft/extents.hpp"
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
  const Value a = n.input(0), b = n.input(3);
  const Value y = n.call(target, {real_input(n, 0), real_input(n, 3)});
  const Extents extents = broadcast(extents_of(n, a), extents_of(n, b));
  n.output(typed(n, as_quantized(n, y, 6, a), n.dtype(a), extents));
}

void sigmoid(Node& n) {
  const Value y = n.call("aten::sigmoid", {real_input(n, 0)});
  n.output(like(n, as_quantized(n, y, 3, n.input(0)), n.input(0)));
}

void leaky_relu(Node& n) {
  const Value y = n.call("aten::leaky_relu", {real_input(n, 0), n.real("alpha", 0.01)});
  n.output(like(n, as_quantized(n, y, 3, n.input(0)), n.input(0)));
}

// Before opset 13 of the softmax it was made of, the axes from `axis` on count as one.
void softmax(Node& n) {
  const Value x = n.input(0);
  const int64_t opset = n.integer("opset");
  const int64_t axis = Node::axis(n.integer("axis", -1), n.rank(x, 1));
  const auto softmax = [&](Value v, int64_t a) { return n.call("aten::softmax.int", {v, a}); };
  const Value real = like(n, real_input(n, 0), x, kFloat);
  const Value y = opset >= 13 ? softmax(real, axis) : over_axes_from(n, real, axis, softmax);
  n.output(like(n, as_quantized(n, y, 3, x), x));
}

void concat(Node& n) {
  if (n.n_inputs() < 5 || n.n_inputs() % 3 != 2)
    throw Invalid("expected inputs in threes after the first two, got " +
                  std::to_string(n.n_inputs()));
  const Value zero = buffer(n, 1), first = n.input(2);
  const int64_t axis = Node::axis(n.integer("axis"), n.rank(first, 1));
  Values parts;
  Extents extents = extents_of(n, first);
  Int size = 0;
  for (size_t i = 2; i < n.n_inputs(); i += 3) {
    parts.push_back(real_input(n, i));
    size = n.add(size, n.dim(n.input(i), axis));
  }
  (*extents)[static_cast<size_t>(axis)] = size;
  const int32_t dtype = n.dtype(zero);
  const Value y = quantized(n, n.call("aten::cat", {parts, axis}), buffer(n, 0), zero, dtype);
  n.output(typed(n, y, dtype, extents));
}

void where(Node& n) {
  const Value condition = n.input(0), x = n.input(1);
  const Value y = n.call("aten::where.self", {condition, real_input(n, 1), real_input(n, 4)});
  const Extents extents =
      broadcast(extents_of(n, condition), broadcast(extents_of(n, x), extents_of(n, n.input(4))));
  n.output(typed(n, as_quantized(n, y, 7, x), n.dtype(x), extents));
}

void reduce_mean(Node& n) {
  const Value x = n.input(0);
  const std::vector<int64_t> axes = n.integers("axes");
  const bool keep = n.flag("keepdims", true);
  const Value y = n.call("aten::mean.dim", {real_input(n, 0), axes, keep});
  std::vector<Extent> left;
  const Extents all = extents_of(n, x);
  for (int64_t i = 0; i < n.rank(x); i++) {
    const bool reduced = axes.empty() || std::any_of(axes.begin(), axes.end(), [&](int64_t a) {
                           return Node::axis(a, n.rank(x)) == i;
                         });
    if (!reduced) left.push_back((*all)[static_cast<size_t>(i)]);
    if (reduced && keep) left.push_back(1);
  }
  n.output(typed(n, as_quantized(n, y, 3, x), n.dtype(x), left));
}

// ---- pools and convolution, perhaps with the channels last

Value channels_first(Node& n, Value v, Value like_shape) {
  Extents e = extents_of(n, like_shape);
  if (e) std::rotate(e->begin() + 1, e->end() - 1, e->end());
  return typed(n, n.call("aten::movedim.int", {v, -1, 1}), n.info(v).raw.dtype, e);
}

// y has its channels at axis 1; `extents` too.
void output_where_channels_are(Node& n, Value y, int32_t dtype, std::vector<Extent> extents,
                               bool last) {
  if (last) {
    y = n.call("aten::movedim.int", {y, 1, -1});
    std::rotate(extents.begin() + 1, extents.begin() + 2, extents.end());
  }
  n.output(typed(n, y, dtype, extents));
}

void global_average_pool(Node& n) {
  const Value x = n.input(0);
  const bool last = n.flag("channels_last", false);
  const int64_t rank = n.rank(x, 3);
  std::vector<Extent> extents = *extents_of(n, x);
  Ints axes;
  for (int64_t i = last ? 1 : 2; i < (last ? rank - 1 : rank); i++) {
    axes.push_back(i);
    extents[static_cast<size_t>(i)] = 1;
  }
  const Value y = n.call("aten::mean.dim", {real_input(n, 0), axes, true});
  n.output(typed(n, as_quantized(n, y, 3, x), n.dtype(x), extents));
}

std::vector<Extent> window_extents(Node& n, Value x, Extent channels, const Windows& w,
                                   const Ints& end) {
  std::vector<Extent> r{extent_of(n, x, 0), channels};
  for (size_t i = 0; i < w.axes; i++) {
    const Int padded = n.add(n.dim(x, static_cast<int64_t>(i) + 2), n.add(w.begin[i], end[i]));
    r.push_back(n.add(n.floordiv(n.sub(padded, w.reach(n, i)), w.strides[i]), 1));
  }
  return r;
}

void average_pool(Node& n) {
  const bool last = n.flag("channels_last", false);
  const Value x = last ? channels_first(n, n.input(0), n.input(0)) : n.input(0);
  const Value real = like(n, dequantized(n, x, buffer(n, 1), buffer(n, 2)), x, kFloat);
  const Pool p = read_pool(n, real);
  const Value y = averaged(n, p, n.flag("count_include_pad", false));
  output_where_channels_are(n, as_quantized(n, y, 3, n.input(0)), n.dtype(n.input(0)),
                            window_extents(n, x, extent_of(n, x, 1), p.w, whole_end(n, p)), last);
}

void conv(Node& n) {
  const bool last = n.flag("channels_last", false);
  const Value x = last ? channels_first(n, n.input(0), n.input(0)) : n.input(0);
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
  output_where_channels_are(n, rounded(n, y, number_in(n, buffer(n, 7), kFloat), dtype), dtype,
                            window_extents(n, x, extent_of(n, weight, 0), w, w.end), last);
}

// ---- QuantizeLinear, DequantizeLinear

void quantize_linear(Node& n) {
  const Value x = n.input(0), scale = buffer(n, 1), zero = buffer(n, 2);
  const Granularity g{n.integer("axis", 1)};
  const int32_t to = zero ? n.dtype(zero) : static_cast<int32_t>(kUint8);
  if (!is_integer(to)) throw Unsupported("input 2: expected an integer type");
  const Value offset = zero ? spread(n, zero, x, zero, g) : zero;
  n.output(
      like(n, quantized(n, n.cast(x, kFloat), spread(n, scale, x, scale, g), offset, to), x, to));
}

void dequantize_linear(Node& n) {
  const Value x = n.input(0), scale = buffer(n, 1), zero = buffer(n, 2);
  const Granularity g{n.integer("axis", 1)};
  const int32_t to = n.dtype(scale);
  const Value y =
      dequantized(n, x, spread(n, scale, x, scale, g), zero ? spread(n, zero, x, zero, g) : zero);
  n.output(like(n, to == kFloat ? y : to_dtype(n, y, to), x, to));
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
