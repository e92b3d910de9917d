// Normalization over the last axes, some with a residual before it: SkipLayerNormalization,
// SimplifiedLayerNormalization, SkipSimplifiedLayerNormalization, EmbedLayerNormalization. ONNX
// Runtime writes SimplifiedLayerNormalization, and LayerNormalization where the model is older than
// opset 17, in the default domain.
#include "plugins/com.microsoft/families.hpp"

using namespace onnx2fx;
using namespace contrib;

namespace {

Value learnt(Node& n, Value v) { return v ? n.role(v, O2FX_ROLE_PARAMETER) : v; }

Ints axes_from(Node& n, Value x, int64_t axis) {
  Ints shape;
  for (int64_t i = Node::axis(axis, n.rank(x, 1)); i < n.rank(x); i++) shape.push_back(n.dim(x, i));
  return shape;
}

Value summed(Node& n, Value x, Value bias) {
  Value sum = n.call("aten::add.Tensor", {x, n.input(1)});
  if (bias) sum = n.call("aten::add.Tensor", {sum, learnt(n, bias)});
  return n.state(sum, n.info(x));
}

// Outputs 0 to 2 of a layer normalization of v.
void normalize(Node& n, Value v, const Ints& shape, Value scale, Value bias, double epsilon) {
  if (!n.wanted(1) && !n.wanted(2))
    return n.output(n.call("aten::layer_norm", {v, shape, scale, bias, epsilon}));
  const Values r = n.calls(3, "aten::native_layer_norm", {v, shape, scale, bias, epsilon});
  n.output(r[0]);
  for (size_t i = 1; i < 3; i++)
    if (n.wanted(i)) n.output(n.call("aten::to.dtype", {r[i], Dtype{kFloat}}), i);
}

// Output 0 of an RMS normalization of v; inverse deviations as output `at`.
void normalize_rms(Node& n, Value v, const Ints& shape, Value scale, double epsilon, size_t at) {
  const int32_t dtype = n.dtype(v), result = n.dtype(scale);
  Value y = n.call("aten::rms_norm", {v, shape, dtype == result ? scale : Value{}, epsilon});
  if (dtype != result)
    y = n.call("aten::mul.Tensor", {n.call("aten::to.dtype", {y, Dtype{result}}), scale});
  n.output(y);
  if (!n.wanted(at)) return;
  const Value wide = n.cast(v, kFloat);
  Ints axes;
  for (size_t i = 1; i <= shape.size(); i++) axes.push_back(-static_cast<int64_t>(i));
  const Value square = n.call("aten::mul.Tensor", {wide, wide});
  const Value mean = n.call("aten::mean.dim", {square, axes, true});
  const Value inverse = n.call("aten::rsqrt", {n.call("aten::add.Scalar", {mean, epsilon})});
  n.output(inverse, at);
}

void layer_norm(Node& n) {
  const Value x = n.input(0);
  n.ignore("stash_type");  // ATen keeps sums in float
  const Ints shape = axes_from(n, x, n.integer("axis", -1));
  normalize(n, x, shape, learnt(n, n.input(1)), learnt(n, n.maybe_input(2)),
            n.real("epsilon", 1e-5));
}

void simplified_layer_norm(Node& n) {
  const Value x = n.input(0);
  n.ignore("stash_type");
  const Ints shape = axes_from(n, x, n.integer("axis", -1));
  normalize_rms(n, x, shape, learnt(n, n.input(1)), n.real("epsilon", 1e-5), 1);
}

void skip_layer_norm(Node& n) {
  const Value sum = summed(n, n.input(0), n.maybe_input(4));
  normalize(n, sum, axes_from(n, sum, -1), learnt(n, n.input(2)), learnt(n, n.maybe_input(3)),
            n.real("epsilon", 1e-12));
  if (n.wanted(3)) n.output(sum, 3);
}

void skip_simplified_layer_norm(Node& n) {
  if (n.wanted(1)) throw Unsupported("output 1 (mean): expected it unused");
  const Value sum = summed(n, n.input(0), n.maybe_input(3));
  normalize_rms(n, sum, axes_from(n, sum, -1), learnt(n, n.input(2)), n.real("epsilon", 1e-12), 2);
  if (n.wanted(3)) n.output(sum, 3);
}

// ---- EmbedLayerNormalization ----

Value looked_up(Node& n, size_t table, Value ids) {
  return n.call("aten::embedding", {learnt(n, n.input(table)), ids});
}

Value position_embedding(Node& n, Value ids) {
  if (const Value positions = n.maybe_input(8)) return looked_up(n, 3, positions);
  const Value rows = n.call("aten::slice.Tensor", {learnt(n, n.input(3)), 0, 0, n.dim(ids, 1)});
  return n.call("aten::unsqueeze", {rows, 0});
}

// How many words of each sample the mask keeps; 0 without a mask.
Value mask_index(Node& n, Value ids) {
  const Value mask = n.maybe_input(7);
  Value count = n.call("aten::new_zeros", {ids, Ints{n.dim(ids, 0)}});
  if (mask)
    count = n.call("aten::sum.dim_IntList", {n.call("aten::eq.Scalar", {mask, 1}), Ints{1}});
  return n.call("aten::to.dtype", {count, Dtype{kInt32}});
}

void embed_layer_norm(Node& n) {
  const Value ids = n.input(0), segments = n.maybe_input(1), segment_table = n.maybe_input(4);
  n.ignore("mask_index_type");  // the outputs that are asked for tell it
  const Value words = n.input(2), embedded = looked_up(n, 2, ids);
  Value sum = n.call("aten::add.Tensor", {embedded, position_embedding(n, ids)});
  if (segments && segment_table) sum = n.call("aten::add.Tensor", {sum, looked_up(n, 4, segments)});
  n.state(sum, n.info(embedded));
  const Value y = n.call("aten::layer_norm", {sum, Ints{n.dim(words, 1)}, learnt(n, n.input(5)),
                                              learnt(n, n.input(6)), n.real("epsilon", 1e-12)});
  n.output(y);
  if (n.wanted(1)) {
    n.output(mask_index(n, ids), 1);
  } else {
    n.maybe_input(7);
  }
  if (n.wanted(2)) n.output(sum, 2);
}

constexpr o2fx_op kOps[] = {
    row("EmbedLayerNormalization", lower<embed_layer_norm>),
    row("LayerNormalization", lower<layer_norm>),
    op("LayerNormalization", 1, lower<layer_norm>, 16),
    row("SimplifiedLayerNormalization", lower<simplified_layer_norm>),
    op("SimplifiedLayerNormalization", 1, lower<simplified_layer_norm>),
    row("SkipLayerNormalization", lower<skip_layer_norm>),
    row("SkipSimplifiedLayerNormalization", lower<skip_simplified_layer_norm>),
};

}  // namespace

const Family kNorm = family(kOps);
