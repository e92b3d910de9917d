// Normalization: BatchNormalization, LayerNormalization, GroupNormalization, InstanceNormalization,
// RMSNormalization, LRN, LpNormalization, MeanVarianceNormalization.
#include <cmath>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/padding.hpp"
#include "plugins/lowering/windows.hpp"

using namespace onnx2fx;

namespace {

// Scale and bias are what a normalization learns.
void claim(Node& n, Value scale, Value bias = {}) {
  n.role(scale, O2FX_ROLE_PARAMETER);
  if (bias) n.role(bias, O2FX_ROLE_PARAMETER);
}

// ---- BatchNormalization ----

struct Batch {
  Value x, scale, bias, mean, variance;
  double share, epsilon;  // share: how much of a running statistic is the newest batch's
  bool cast = false;      // to one dtype, so that y has to go back
  Ints shape = {};        // of x, where x is flattened to (N, C) and y has to get it back
};

// Statistics for each element of a sample (spatial = 0) are statistics of channels of a flat
// sample; x of rank 1 has one channel.
void flatten(Node& n, Batch& b) {
  b.shape = n.dims(n.input(0));
  b.x = n.call("aten::reshape", {b.x, Ints{b.shape[0], -1}});
  for (Value* v : {&b.scale, &b.bias, &b.mean, &b.variance})
    *v = n.call("aten::reshape", {*v, Ints{-1}});
}

// ATen takes one dtype for all, or x of half precision with the rest in float.
void agree_on_dtype(Node& n, Batch& b) {
  const int32_t x = n.info(b.x).raw.dtype, scale = n.info(b.scale).raw.dtype,
                mean = n.info(b.mean).raw.dtype;
  if (scale == mean && (x == mean || (mean == kFloat && x != kDouble))) return;
  const bool wide = x == kDouble || scale == kDouble || mean == kDouble;
  b.cast = true;
  for (Value* v : {&b.x, &b.scale, &b.bias, &b.mean, &b.variance})
    *v = n.cast(*v, wide ? kDouble : kFloat);
}

// 1 - momentum. ONNX has it in single precision: of the numbers that it may stand for, the one with
// the fewest decimals, or a training that goes on as in the original module drifts away from it.
double complement(double momentum) {
  for (double unit = 10; unit < 1e9; unit *= 10) {
    const double c = std::round((1 - momentum) * unit) / unit;
    if (static_cast<float>(1 - c) == static_cast<float>(momentum)) return c;
  }
  return 1 - momentum;
}

Batch read_batch(Node& n) {
  Batch b{n.input(0),
          n.input(1),
          n.input(2),
          n.input(3),
          n.input(4),
          complement(n.real("momentum", 0.9)),
          n.real("epsilon", 1e-5)};
  if (n.opset() < 6) n.ignore("consumed_inputs");
  const bool spatial = n.opset() >= 9 || n.flag("spatial", true);
  claim(n, b.scale, b.bias);
  agree_on_dtype(n, b);
  if (!spatial || n.info(n.input(0)).raw.rank == 1) flatten(n, b);
  return b;
}

void batch_output(Node& n, const Batch& b, Value y) {
  if (b.cast) y = n.call("aten::to.dtype", {y, Dtype{n.dtype(n.input(0))}});
  n.output(b.shape.empty() ? y : n.call("aten::reshape", {y, b.shape}));
}

// Factors of a running statistic and of the batch's in their sum.
struct Weights {
  Arg old, now;
};
Weights weights(Node& n, double share, bool only_in_training) {
  if (!only_in_training) return {1 - share, share};
  const Value now = n.call("operator::mul", {Training{}, share});
  return {n.call("operator::sub", {1.0, now}), now};
}

Value sum(Node& n, Value old, Value now, const Weights& w) {
  return n.call("aten::add.Tensor", {n.call("aten::mul.Scalar", {old, w.old}),
                                     n.call("aten::mul.Scalar", {now, w.now})});
}

// The outputs after y: running statistics, and those of the batch. Where there is a state, they are
// that in eval(). ATen updates it in place, with another variance than ONNX (of a sample, not of
// the population), so that they are computed first.
void statistics_outputs(Node& n, const Batch& b, bool has_state) {
  std::vector<int64_t> axes;
  const int64_t rank = b.shape.empty() ? n.rank(n.input(0), 2) : 2;
  for (int64_t i = 0; i < rank; i++)
    if (i != 1) axes.push_back(i);
  const int32_t dtype = n.dtype(n.input(3));
  const Value x =
      b.cast || n.dtype(n.input(0)) == dtype ? b.x : n.call("aten::to.dtype", {b.x, Dtype{dtype}});
  const Values now = n.calls(2, "aten::var_mean.correction", {x, axes}, {{"correction", 0}});
  const Weights running = weights(n, b.share, has_state), saved = weights(n, 1, has_state);
  for (size_t i = 1; i < 5; i++) {
    if (!n.wanted(i)) continue;
    Value v = now[i % 2];
    if (i < 3 || has_state) v = sum(n, i % 2 ? b.mean : b.variance, v, i < 3 ? running : saved);
    if (!b.shape.empty() && b.shape.size() > 1)
      v = n.call("aten::reshape", {v, Ints(b.shape.begin() + 1, b.shape.end())});
    n.output(b.cast ? n.call("aten::to.dtype", {v, Dtype{dtype}}) : v, i);
  }
}

// Up to opset 13 the outputs that are asked for tell the mode.
bool exported_in_training(Node& n) {
  if (n.opset() >= 14) return n.flag("training_mode", false);
  const bool test = n.opset() < 7 && n.flag("is_test", false);
  bool statistics = false;
  for (size_t i = 1; i < 5; i++) statistics |= n.wanted(i);
  if (test && statistics)
    throw Unsupported("attribute 'is_test': expected 0 where statistics are outputs, got 1");
  return statistics;
}

// ATen's running statistics have no gradient; in arithmetic what they were computed of has its own.
Value by_arithmetic(Node& n, const Batch& b) {
  Ints channels(static_cast<size_t>(n.rank(b.x, 2) - 1), 1);
  channels[0] = -1;
  const auto by_channel = [&](Value v) { return n.call("aten::reshape", {v, channels}); };
  const Value width = n.call("aten::rsqrt", {n.call("aten::add.Scalar", {b.variance, b.epsilon})});
  const Value centred = n.call("aten::sub.Tensor", {b.x, by_channel(b.mean)});
  const Value factor = by_channel(n.call("aten::mul.Tensor", {width, b.scale}));
  const Value y = n.call("aten::add.Tensor",
                         {n.call("aten::mul.Tensor", {centred, factor}), by_channel(b.bias)});
  const int32_t dtype = n.info(b.x).raw.dtype;
  return dtype == n.info(b.mean).raw.dtype ? y : n.call("aten::to.dtype", {y, Dtype{dtype}});
}

// Running statistics that the model holds are a state, which train() updates and eval() uses,
// whatever the mode of the export. Where they are computed there is none: batch statistics always
// of an export in training, else those that were computed.
void batch_norm(Node& n) {
  const bool training = exported_in_training(n);
  const bool has_state = n.info(n.input(3)).is_stored() && n.info(n.input(4)).is_stored();
  if (has_state) {
    n.role(n.input(3), O2FX_ROLE_MUTATED);
    n.role(n.input(4), O2FX_ROLE_MUTATED);
  }
  const Batch b = read_batch(n);
  if (!training && !has_state) return batch_output(n, b, by_arithmetic(n, b));
  if (training) statistics_outputs(n, b, has_state);
  if (training)
    n.annotate("training_mode",
               has_state
                   ? "1: follows train() and eval(); the state's running variance is torch's, "
                     "of a sample (n - 1), ONNX's that of the population"
                   : "1: its running statistics are computed: those of the batch in eval() too");
  const bool always = training && !has_state;
  const Value mean = always ? Value{} : b.mean, variance = always ? Value{} : b.variance;
  batch_output(n, b,
               n.call("aten::batch_norm",
                      {b.x, b.scale, b.bias, mean, variance, always ? Arg(true) : Arg(Training{}),
                       always ? 0.0 : b.share, b.epsilon, true}));
}

// ---- over the last axes ----

// The axes from `axis` on, and whether a scale has exactly their shape, as ATen wants it.
struct Last {
  Ints shape;
  int64_t first;
};

Last last_axes(Node& n, Value x) {
  const int64_t rank = n.rank(x, 1);
  Last l{{}, Node::axis(n.integer("axis", -1), rank)};
  for (int64_t i = l.first; i < rank; i++) l.shape.push_back(n.dim(x, i));
  return l;
}

bool has_shape(Node& n, Value v, Ints& shape) {
  if (!n.rank_known(v) || static_cast<size_t>(n.rank(v)) != shape.size()) return false;
  Ints sure = shape;
  for (size_t i = 0; i < shape.size(); i++) {
    const Int extent = n.dim(v, static_cast<int64_t>(i));
    if (extent == shape[i]) continue;
    if (shape[i].known() || !extent.known() || extent.is(1)) return false;
    sure[i] = extent;  // v must broadcast to x and is not 1 here, so x has this extent too
  }
  shape = sure;
  return true;
}

Value affine(Node& n, Value y, Value scale, Value bias) {
  if (scale) y = n.call("aten::mul.Tensor", {y, scale});
  return bias ? n.call("aten::add.Tensor", {y, bias}) : y;
}

void layer_norm_with_statistics(Node& n, Value x, const Last& l, Value scale, Value bias) {
  const int32_t dtype = n.dtype(x), stash = static_cast<int32_t>(n.integer("stash_type", 1));
  const Value wide = n.cast(x, dtype == kDouble ? kDouble : kFloat);
  const Values r = n.calls(3, "aten::native_layer_norm",
                           {wide, l.shape, nullptr, nullptr, n.real("epsilon", 1e-5)});
  n.output(
      affine(n, wide == x ? r[0] : n.call("aten::to.dtype", {r[0], Dtype{dtype}}), scale, bias));
  for (size_t i = 1; i < 3; i++)
    if (n.wanted(i)) n.output(n.call("aten::to.dtype", {r[i], Dtype{stash}}), i);
}

void layer_norm(Node& n) {
  const Value x = n.input(0), scale = n.input(1), bias = n.maybe_input(2);
  claim(n, scale, bias);
  Last l = last_axes(n, x);
  if (n.wanted(1) || n.wanted(2)) return layer_norm_with_statistics(n, x, l, scale, bias);
  n.ignore("stash_type");  // ATen keeps sums in float, or in double for double
  const bool scale_fits = has_shape(n, scale, l.shape),
             bias_fits = scale_fits && bias && has_shape(n, bias, l.shape);
  const Value y = n.call("aten::layer_norm", {x, l.shape, scale_fits ? scale : Value{},
                                              bias_fits ? bias : Value{}, n.real("epsilon", 1e-5)});
  n.output(affine(n, y, scale_fits ? Value{} : scale, bias_fits ? Value{} : bias));
}

void rms_norm(Node& n) {
  const Value x = n.input(0), scale = n.input(1);
  claim(n, scale);
  n.ignore("stash_type");  // as in layer_norm
  Last l = last_axes(n, x);
  const double epsilon = n.real("epsilon", 1e-5);
  const int32_t dtype = n.info(x).raw.dtype, result = n.info(scale).raw.dtype;
  if (dtype == result && has_shape(n, scale, l.shape))
    return n.output(n.call("aten::rms_norm", {x, l.shape, scale, epsilon}));
  Value y = n.call("aten::rms_norm", {x, l.shape, nullptr, epsilon});
  if (dtype != result) y = n.call("aten::to.dtype", {y, Dtype{n.dtype(scale)}});
  n.output(affine(n, y, scale, {}));
}

// ---- over channels ----

void group_norm(Node& n) {
  const Value x = n.input(0);
  Value scale = n.input(1), bias = n.input(2);
  claim(n, scale, bias);
  const int64_t groups = n.integer("num_groups");
  n.ignore("stash_type");  // as in layer_norm
  const Int channels = n.dim(x, 1);
  const bool by_channel = n.opset() >= 21 || channels.is(groups);
  if (!by_channel && n.dim(scale, 0) == channels && n.dim(bias, 0) == channels) {
    n.warn(
        "input 'scale': expected one element for each group, got one for each channel, as in opset "
        "21");
  } else if (!by_channel) {  // one scale for each group
    const Int each = n.floordiv(channels, groups);
    scale = n.call("aten::repeat_interleave.self_int", {scale, each});
    bias = n.call("aten::repeat_interleave.self_int", {bias, each});
  }
  n.output(n.call("aten::group_norm", {x, groups, scale, bias, n.real("epsilon", 1e-5)}));
}

void instance_norm(Node& n) {
  const Value x = n.input(0), scale = n.input(1), bias = n.input(2);
  claim(n, scale, bias);
  if (n.opset() < 6) n.ignore("consumed_inputs");
  n.output(n.call("aten::instance_norm",
                  {x, scale, bias, nullptr, nullptr, true, 0.1, n.real("epsilon", 1e-5), true}));
}

void lrn(Node& n) {
  const Value x = n.input(0);
  const int64_t size = n.integer("size"), axes = n.rank(x, 2) - 1;
  if (size < 1)
    throw Invalid("attribute 'size': expected a positive value, got " + std::to_string(size));
  Ints begin(static_cast<size_t>(axes), 0), end = begin;  // axes 1...
  begin[0] = (size - 1) / 2;
  end[0] = size / 2;
  Value sum = padded(n, n.call("aten::mul.Tensor", {x, x}), {begin, end});
  sum = n.call("aten::sum.dim_IntList", {n.call("aten::unfold", {sum, 1, size, 1}), Ints{-1}});
  sum = n.call("aten::mul.Scalar", {sum, n.real("alpha", 1e-4) / static_cast<double>(size)});
  sum = n.call("aten::add.Scalar", {sum, n.real("bias", 1.0)});
  n.output(n.call("aten::div.Tensor",
                  {x, n.call("aten::pow.Tensor_Scalar", {sum, n.real("beta", 0.75)})}));
}

void lp_norm(Node& n) {
  const Value x = n.input(0);
  const int64_t p = n.integer("p", 2);
  if (p != 1 && p != 2) throw Invalid("attribute 'p': expected 1 or 2, got " + std::to_string(p));
  const Value norm = n.call("aten::linalg_vector_norm",
                            {x, static_cast<double>(p), Ints{n.integer("axis", -1)}, true});
  const Value zero = n.call("aten::eq.Scalar", {norm, 0});  // 0 / 0 is 0 here
  n.output(n.call("aten::div.Tensor", {x, n.call("aten::masked_fill.Scalar", {norm, zero, 1})}));
}

void mean_variance_norm(Node& n) {
  const Value x = n.input(0);
  const std::vector<int64_t> axes = n.integers("axes");
  const Values r =
      n.calls(2, "aten::var_mean.correction", {x, axes}, {{"correction", 0}, {"keepdim", true}});
  const Value deviation = n.call("aten::add.Scalar", {n.call("aten::sqrt", {r[0]}), 1e-9});
  n.output(n.call("aten::div.Tensor", {n.call("aten::sub.Tensor", {x, r[1]}), deviation}));
}

constexpr o2fx_op kOps[] = {
    op("BatchNormalization", 1, lower<batch_norm>),
    op("GroupNormalization", 18, lower<group_norm>),
    op("InstanceNormalization", 1, lower<instance_norm>),
    op("LRN", 1, lower<lrn>),
    op("LayerNormalization", 17, lower<layer_norm>),
    op("LpNormalization", 1, lower<lp_norm>),
    op("MeanVarianceNormalization", 9, lower<mean_variance_norm>),
    op("RMSNormalization", 23, lower<rms_norm>),
};

}  // namespace

const Family kNorm = family(kOps);
