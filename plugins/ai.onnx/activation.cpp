// Activations: functions of one element, and the softmax family along an axis.
#include <algorithm>

#include "plugins/ai.onnx/elementwise.hpp"
#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/dtype.hpp"
#include "plugins/lowering/functions.hpp"
#include "plugins/lowering/literals.hpp"
#include "plugins/lowering/softmax.hpp"

using namespace onnx2fx;

namespace {

// An attribute holds a float; a literal of ATen's is a double.
bool is_float(double attribute, double literal) {
  return static_cast<float>(attribute) == static_cast<float>(literal);
}

void celu(Node& n) { n.output(n.call("aten::celu", {n.input(0), n.real("alpha")})); }

void elu(Node& n) {
  n.ignore("consumed_inputs");
  n.output(n.call("aten::elu", {n.input(0), n.real("alpha")}));
}

void gelu(Node& n) {
  const std::string approximate = one_of(n, "approximate", {"none", "tanh"});
  n.output(n.call("aten::gelu", {n.input(0)}, {{"approximate", std::string_view(approximate)}}));
}

void hard_sigmoid(Node& n) {
  n.ignore("consumed_inputs");
  const Value x = n.input(0);
  const double alpha = n.real("alpha"), beta = n.real("beta");
  if (is_float(alpha, 1.0 / 6) && beta == 0.5) return n.output(n.call("aten::hardsigmoid", {x}));
  n.output(onnx2fx::hard_sigmoid(n, x, alpha, beta));
}

void leaky_relu(Node& n) {
  n.ignore("consumed_inputs");
  n.output(n.call("aten::leaky_relu", {n.input(0), n.real("alpha")}));
}

void selu(Node& n) {
  n.ignore("consumed_inputs");
  const Value x = n.input(0);
  const double alpha = n.real("alpha"), gamma = n.real("gamma");
  // ONNX rounds the constants to float, which a double tensor would show
  const bool same =
      is_float(alpha, 1.6732632423543772848) && is_float(gamma, 1.0507009873554804934);
  if (same && n.dtype(x) != kDouble) return n.output(n.call("aten::selu", {x}));
  n.output(n.call("aten::elu", {x, alpha, gamma}));
}

void softplus(Node& n) {
  const Value x = n.input(0);
  // Past its threshold ATen returns x; 20 is past the precision of float, not of double
  const int threshold = n.dtype(x) == kDouble ? 40 : 20;
  n.output(n.call("aten::softplus", {x, 1, threshold}));
}

void softsign(Node& n) { n.output(onnx2fx::softsign(n, n.input(0))); }

void shrink(Node& n) {
  const Value x = n.input(0);
  const double lambda = n.real("lambd"), bias = n.real("bias");
  const int32_t dtype = n.dtype(x);
  if (is_floating(dtype) && bias == 0) return n.output(n.call("aten::hardshrink", {x, lambda}));
  if (is_floating(dtype) && bias == lambda)
    return n.output(n.call("aten::softshrink", {x, lambda}));
  const Value v = is_floating(dtype) ? x : to_dtype(n, x, kDouble);
  const Value above = n.call("aten::gt.Scalar", {v, lambda});
  const Value below = n.call("aten::lt.Scalar", {v, -lambda});
  const Value upper =
      n.call("aten::where.ScalarOther", {above, n.call("aten::sub.Scalar", {v, bias}), 0.0});
  const Value y = n.call("aten::where.self", {below, n.call("aten::add.Scalar", {v, bias}), upper});
  n.output(is_floating(dtype) ? y : to_dtype(n, y, dtype));
}

void thresholded_relu(Node& n) {
  n.output(n.call("aten::threshold", {n.input(0), n.real("alpha"), 0}));
}

Value swish_of(Node& n, Value x, double alpha) {
  if (alpha == 1) return n.call("aten::silu", {x});
  const Value gate = n.call("aten::sigmoid", {n.call("aten::mul.Scalar", {x, alpha})});
  return n.call("aten::mul.Tensor", {x, gate});
}

void swish(Node& n) { n.output(swish_of(n, n.input(0), n.real("alpha"))); }

void swiglu(Node& n) {
  const Value gate = swish_of(n, n.input(0), n.real("alpha"));
  n.output(n.call("aten::mul.Tensor", {gate, n.input(1)}));
}

// ---- PRelu

// Whether the slope has one element for all of x, or one for each of its channels (axis 1), which
// is what ATen's prelu takes. Before opset 7 it is always so.
bool is_channelwise(Node& n, Value x, Value slope) {
  if (n.opset() < 7) return true;
  const Info i = n.info(slope);
  if (i.raw.rank < 0 || !i.raw.dims || n.info(x).raw.rank < 0) return false;
  const int32_t rank = n.rank(x);
  const int32_t channel = i.raw.rank - rank + 1;  // where axis 1 of x is in the slope
  for (int32_t a = 0; a < i.raw.rank; a++)
    if (i.raw.dims[a] != 1 && (a != channel || rank < 2)) return false;
  if (channel < 0 || channel >= i.raw.rank || i.raw.dims[channel] == 1) return true;
  return i.raw.dims[channel] > 0 && n.dim(x, 1).is(i.raw.dims[channel]);
}

void prelu(Node& n) {
  n.ignore("consumed_inputs");
  const Value x = n.input(0);
  const Value slope = n.role(n.input(1), O2FX_ROLE_PARAMETER);
  const int32_t dtype = n.dtype(x);
  if (is_unsigned(dtype)) return n.output(x);  // nothing is negative
  if (is_floating(dtype) && is_channelwise(n, x, slope)) {
    const Value flat = n.rank_known(slope) && n.rank(slope) == 1
                           ? slope
                           : n.call("aten::reshape", {slope, Ints{-1}});
    return n.output(n.call("aten::prelu", {x, flat}));
  }
  const Value negative = n.call("aten::lt.Scalar", {x, 0});
  n.output(n.call("aten::where.self", {negative, n.call("aten::mul.Tensor", {x, slope}), x}));
}

// ---- along an axis

template <class F>
Value along_axis(Node& n, Value x, F f) {
  const int64_t axis = n.integer("axis");
  if (n.rank_known(x)) Node::axis(axis, std::max(n.rank(x), 1));
  return n.opset() >= 13 ? f(x, axis) : over_axes_from(n, x, axis, f);
}

void softmax(Node& n, const char* target) {
  n.output(along_axis(n, n.input(0), [&](Value x, int64_t axis) {
    return n.call(target, {x, axis});
  }));
}

void hardmax(Node& n) {
  n.output(along_axis(n, n.input(0), [&](Value x, int64_t axis) {
    const Value first = n.call("aten::argmax", {x, axis, true});
    return n.call("aten::scatter.value", {n.call("aten::zeros_like", {x}), axis, first, 1});
  }));
}

// ---- Clip

// A bound as a number, if it is one known now. ATen's clamp of a 16-bit tensor refuses what the
// type cannot hold: there the schema's default, the greatest float, is no bound at all.
Arg attribute_bound(Node& n, std::string_view name, int32_t dtype) {
  if (!n.has(name)) return nullptr;
  const double bound = n.real(name);
  const bool wide = dtype == kFloat || dtype == kDouble;
  if (!wide && (bound < -65504 || bound > 65504)) return nullptr;
  return bound;
}

Value clamped(Node& n, Value x, const Arg& low, const Arg& high, const char* target) {
  const bool open = low.raw().tag == O2FX_T_NONE && high.raw().tag == O2FX_T_NONE;
  return open ? x : n.call(target, {x, low, high});
}

void clip_6(Node& n) {
  n.ignore("consumed_inputs");
  const Value x = n.input(0);
  const int32_t dtype = n.dtype(x);
  const Arg low = attribute_bound(n, "min", dtype), high = attribute_bound(n, "max", dtype);
  n.output(clamped(n, x, low, high, "aten::clamp"));
}

std::optional<Arg> literal_bound(Node& n, Value bound) {
  return bound ? literal(n, bound) : Arg(nullptr);
}

void clip(Node& n) {
  const Value x = n.input(0), low = n.maybe_input(1), high = n.maybe_input(2);
  const int32_t dtype = n.dtype(x);
  const std::optional<Arg> least = literal_bound(n, low), most = literal_bound(n, high);
  if (!low && !high) return n.output(x);
  if (!is_wide_unsigned(dtype) && least && most)
    return n.output(clamped(n, x, *least, *most, "aten::clamp"));
  const auto bound = [&](Value v) { return v ? Arg(ordered(n, v, dtype)) : Arg(nullptr); };
  const Value y = n.call("aten::clamp.Tensor", {ordered(n, x, dtype), bound(low), bound(high)});
  n.output(unordered(n, y, dtype));
}

constexpr o2fx_op kOps[] = {
    op("Celu", 12, lower<celu>),
    op("Clip", 1, lower<clip_6>, 10),
    op("Clip", 11, lower<clip>),
    op("Elu", 1, lower<elu>),
    op("Gelu", 20, lower<gelu>),
    op("HardSigmoid", 1, lower<hard_sigmoid>),
    direct("HardSwish", 14, "aten::hardswish"),
    op("Hardmax", 1, lower<hardmax>),
    op("LeakyRelu", 1, lower<leaky_relu>),
    op_to("LogSoftmax", 1, lower_to<softmax>, "aten::log_softmax.int"),
    direct("Mish", 18, "aten::mish"),
    op("PRelu", 1, lower<prelu>),
    op_to("Relu", 1, lower_to<unary>, "aten::relu"),
    op("Selu", 1, lower<selu>),
    op("Shrink", 9, lower<shrink>),
    op_to("Sigmoid", 1, lower_to<unary>, "aten::sigmoid"),
    op_to("Softmax", 1, lower_to<softmax>, "aten::softmax.int"),
    op("Softplus", 1, lower<softplus>),
    op("Softsign", 1, lower<softsign>),
    op("SwiGLU", 28, lower<swiglu>),
    op("Swish", 24, lower<swish>),
    op_to("Tanh", 1, lower_to<unary>, "aten::tanh"),
    op("ThresholdedRelu", 10, lower<thresholded_relu>),
};

}  // namespace

const Family kActivation = family(kOps);
