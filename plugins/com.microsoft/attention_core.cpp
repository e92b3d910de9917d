#include "plugins/com.microsoft/attention_core.hpp"

#include <cmath>
#include <limits>

#include "plugins/lowering/arange.hpp"

using namespace onnx2fx;

namespace contrib {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void read_attributes(Node& n, Attention& a) {
  a.heads = n.integer("num_heads");
  if (a.heads < 1)
    throw Invalid("attribute 'num_heads': expected a positive value, got " +
                  std::to_string(a.heads));
  a.causal = n.flag("unidirectional", false);
  a.masked = n.real("mask_filter_value", -10000.0);
  if (const double scale = n.real("scale", 0.0); scale != 0) a.scale = scale;
}

Value split_heads(Node& n, Value v, int64_t heads) {
  const Int size = n.floordiv(n.dim(v, 2), heads);
  v = n.call("aten::reshape", {v, Ints{n.dim(v, 0), n.dim(v, 1), heads, size}});
  return n.call("aten::transpose.int", {v, 1, 2});
}

Value merge_heads(Node& n, Value v) {
  return n.call("aten::flatten.using_ints", {n.call("aten::transpose.int", {v, 1, 2}), 2, 3});
}

void add_past(Node& n, Attention& a) {
  if (!a.past_k) return;
  a.k = n.call("aten::cat", {Values{a.past_k, a.k}, 2});
  a.v = n.call("aten::cat", {Values{a.past_v, a.v}, 2});
  a.keys = n.add(n.dim(a.past_k, 2), a.keys);
}

// (2, N): all ends, then all starts. `count` elements: the ends, and perhaps the starts. Where only
// the run tells, the padding makes both of them two rows, and a third form fails to be reshaped.
static Value limits_of(Node& n, const Attention& a, const Int& count) {
  const Int both = n.mul(a.batch, 2), missing = n.max(n.sub(both, count), 0);
  if (count.known() && a.batch.known() && !(count == a.batch) && !(count == both))
    throw Unsupported("input mask: expected a vector of one or two elements for each sample, got " +
                      std::to_string(count.literal()));
  const Value padded = n.call("aten::constant_pad_nd", {a.mask, Ints{0, missing}, 0});
  return n.call("aten::reshape", {padded, Ints{2, a.batch, 1, 1, 1}});
}

// True where a key takes part, from the lengths of the samples.
static Value within_lengths(Node& n, const Attention& a) {
  const Int count = n.dim(a.mask, 0);
  const Value key = places(n, a.keys, a.q, Ints{1, 1, 1, -1});
  if (count == a.batch)
    return n.call("aten::lt.Tensor", {key, n.call("aten::reshape", {a.mask, Ints{-1, 1, 1, 1}})});
  const Value limits = limits_of(n, a, count);
  const auto limit = [&](int64_t i) { return n.call("aten::select.int", {limits, 0, i}); };
  return n.call("aten::logical_and", {n.call("aten::lt.Tensor", {key, limit(0)}),
                                      n.call("aten::ge.Tensor", {key, limit(1)})});
}

static Value taking_part(Node& n, const Attention& a) {
  const int32_t rank = n.rank(a.mask, 1);
  if (rank == 1) return within_lengths(n, a);
  if (rank > 3) throw Unsupported("input mask: expected rank 1 to 3, got " + std::to_string(rank));
  Value mask = n.call("aten::gt.Scalar", {a.mask, 0});
  for (int32_t i = rank; i < 4; i++) mask = n.call("aten::unsqueeze", {mask, 1});
  return mask;
}

// `otherwise` where `condition` does not hold, else `value` (nothing: 0).
static Value unless(Node& n, const Attention& a, Value condition, Value value, double otherwise) {
  if (!value) value = n.call("aten::new_zeros", {a.q, Ints{1}});
  return n.call("aten::where.ScalarOther", {condition, value, otherwise});
}

// What is added to the scores; empty if nothing.
static Value addend(Node& n, const Attention& a) {
  Value r = a.bias;
  if (a.mask) {
    const Value mask = unless(n, a, taking_part(n, a), {}, a.masked);
    r = r ? n.call("aten::add.Tensor", {r, mask}) : mask;
  }
  if (!a.causal) return r;
  Value query = places(n, a.queries, a.q, Ints{-1, 1});
  if (a.past_k) query = n.call("aten::add.Scalar", {query, n.dim(a.past_k, 2)});
  const Value seen = n.call("aten::le.Tensor", {places(n, a.keys, a.q, Ints{1, -1}), query});
  return unless(n, a, seen, r, -kInfinity);
}

static Value attend_by_steps(Node& n, const Attention& a, Value* scores) {
  Value s = n.call("aten::matmul", {a.q, n.call("aten::transpose.int", {a.k, -2, -1})});
  const double size =
      a.scale ? 0 : static_cast<double>(n.dim(a.q, 3).literal("the size of a head"));
  s = n.call("aten::mul.Scalar", {s, a.scale ? *a.scale : 1 / std::sqrt(size)});
  if (const Value more = addend(n, a)) s = n.call("aten::add.Tensor", {s, more});
  *scores = s;
  return n.call("aten::matmul", {n.call("aten::softmax.int", {s, -1}), a.v});
}

Value attend(Node& n, const Attention& a, Value* scores) {
  if (scores) return merge_heads(n, attend_by_steps(n, a, scores));
  const bool triangle = a.causal && !a.mask && !a.bias && !a.past_k;
  const Value mask = triangle ? Value{} : addend(n, a);
  Kwargs options;
  if (a.scale) options.push_back({"scale", *a.scale});
  const Value y =
      n.call("aten::scaled_dot_product_attention", {a.q, a.k, a.v, mask, 0.0, triangle}, options);
  return merge_heads(n, y);
}

}  // namespace contrib
