#include "plugins/com.microsoft/attention_core.hpp"

#include <limits>

#include "plugins/lowering/arange.hpp"

using namespace onnx2fx;
using namespace onnx2fx::attention;

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
  if (count == a.batch) return within(n, key, a.mask);
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
  const Value causal = seen(n, {true}, query, places(n, a.keys, a.q, Ints{1, -1}));
  return unless(n, a, causal, r, -kInfinity);
}

static Value attend_by_steps(Node& n, const Attention& a, Value* scores) {
  *scores = products(n, a);
  if (const Value more = addend(n, a)) *scores = n.call("aten::add.Tensor", {*scores, more});
  return weighted(n, a, n.call("aten::softmax.int", {*scores, -1}));
}

Value attend(Node& n, const Attention& a, Value* scores) {
  if (scores) return merge_heads(n, attend_by_steps(n, a, scores));
  const bool triangle = a.causal && !a.mask && !a.bias && !a.past_k;
  return merge_heads(n, fused(n, a, triangle ? Value{} : addend(n, a), triangle));
}

}  // namespace contrib
