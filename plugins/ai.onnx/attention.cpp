// Attention and what stands around it: Attention, RotaryEmbedding.
//
// Attention is one aten::scaled_dot_product_attention unless the model wants more than its result:
// the scores as an output, a soft cap, or a softmax in another precision.
#include "plugins/lowering/attention.hpp"

#include <limits>
#include <onnx2fx/plugin.hpp>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/rotary.hpp"

using namespace onnx2fx;
using namespace onnx2fx::attention;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// ---- Attention ----

struct Attention : Heads {  // k and v with the past before them
  Value past, valid;        // past_key; nonpad_kv_seqlen
  bool flat = false;        // the model has (N, length, heads * head size)
  Window window;
  int32_t dtype = 0, softmax = 0;  // of the scores
  Int queries, keys;
};

void read_heads(Node& n, Attention& a) {
  const int64_t q_heads = n.integer("q_num_heads", 0), kv_heads = n.integer("kv_num_heads", 0);
  a.flat = n.rank(a.q, 3) == 3;
  if (!a.flat) {
    a.grouped = !(n.dim(a.q, 1) == n.dim(a.k, 1));
    return;
  }
  if (q_heads < 1 || kv_heads < 1)
    throw Invalid(
        "attributes 'q_num_heads', 'kv_num_heads': expected positive values with inputs of rank 3");
  a.grouped = q_heads != kv_heads;
  a.q = split_heads(n, a.q, q_heads);
  a.k = split_heads(n, a.k, kv_heads);
  a.v = split_heads(n, a.v, kv_heads);
}

void read_past(Node& n, Attention& a) {
  const Value past_value = n.maybe_input(5);
  a.past = n.maybe_input(4);
  a.valid = n.maybe_input(6);
  if (static_cast<bool>(a.past) != static_cast<bool>(past_value))
    throw Invalid("inputs 'past_key' and 'past_value': expected both or none");
  if (!a.past) return;
  a.k = n.call("aten::cat", {Values{a.past, a.k}, 2});
  a.v = n.call("aten::cat", {Values{past_value, a.v}, 2});
}

Attention read_attention(Node& n) {
  Attention a;
  a.q = n.input(0), a.k = n.input(1), a.v = n.input(2);
  a.dtype = n.dtype(a.q);
  if (n.dtype(a.v) != a.dtype) a.v = n.call("aten::to.dtype", {a.v, Dtype{a.dtype}});
  a.queries = n.dim(a.q, n.rank(a.q, 3) - 2);
  a.keys = n.dim(a.k, n.rank(a.k, 3) - 2);
  read_heads(n, a);
  read_past(n, a);
  if (a.past) a.keys = n.add(n.dim(a.past, 2), a.keys);
  a.window = {n.flag("is_causal", false), n.integer("left_window_size", -1),
              n.integer("right_window_size", -1)};
  a.softcap = n.real("softcap", 0.0);
  a.softmax = static_cast<int32_t>(n.integer("softmax_precision", a.dtype));
  if (n.has("scale")) a.scale = n.real("scale");
  return a;
}

// ---- what a query may see ----

// How many keys stand before the first query: (N, 1, 1, 1) where each sample has its own number.
Value shifted(Node& n, const Attention& a, Value at) {
  if (a.past) return n.call("aten::add.Scalar", {at, n.dim(a.past, 2)});
  if (!a.valid) return at;
  const Value valid = n.call("aten::reshape", {a.valid, Ints{-1, 1, 1, 1}});
  return n.call("aten::add.Tensor", {at, n.call("aten::sub.Scalar", {valid, a.queries})});
}

// A bool tensor, true where a key takes part; empty if all do.
Value allowed(Node& n, const Attention& a) {
  const Value key = places(n, a.keys, a.q, Ints{1, -1});
  Value r;
  if (!a.window.open())
    r = seen(n, a.window, shifted(n, a, places(n, a.queries, a.q, Ints{-1, 1})), key);
  return a.valid ? both(n, r, within(n, key, a.valid)) : r;
}

// The mask of the model with as many keys as there are: further ones are masked. Of rank 2 or 4,
// for ATen's fused kernels.
Value given_mask(Node& n, const Attention& a) {
  Value m = n.maybe_input(3);
  if (!m) return m;
  int32_t rank = n.rank(m, 1);
  const bool boolean = n.dtype(m) == kBool;
  const Int length = n.dim(m, rank - 1);
  if (!boolean) m = n.cast(m, a.dtype);
  if (!(length == a.keys)) {
    const Arg masked = boolean ? Arg(false) : Arg(-kInfinity);
    m = n.call("aten::constant_pad_nd", {m, Ints{0, n.sub(a.keys, length)}, masked});
  }
  for (; rank == 1 || rank == 3; rank++) m = n.call("aten::unsqueeze", {m, 0});
  return m;
}

// As aten::scaled_dot_product_attention takes it: bool, or what is added to the scores; empty if
// nothing.
Value mask_of(Node& n, const Attention& a) {
  const Value given = given_mask(n, a), seen = allowed(n, a);
  if (!given || !seen) return given ? given : seen;
  if (n.dtype(n.input(3)) == kBool) return both(n, seen, given);
  return n.call("aten::where.ScalarOther", {seen, given, -kInfinity});
}

// ---- the two forms ----

bool fits_aten(Node& n, const Attention& a) {
  const bool half = a.dtype == kFloat16 || a.dtype == kBfloat16;  // summed in float by ATen
  const bool precise = a.softmax == a.dtype || (half && a.softmax == kFloat);
  return !n.wanted(3) && a.softcap == 0 && precise;
}

Value attend(Node& n, const Attention& a) {
  const bool triangle = a.window.causal && a.window.left < 0 && a.window.right < 0 &&
                        !n.maybe_input(3) && !a.past && !a.valid;
  return fused(n, a, triangle ? Value{} : mask_of(n, a), triangle);
}

// What is added to the scores; -inf where a key is masked.
Value bias_of(Node& n, const Attention& a) {
  const Value mask = mask_of(n, a), given = n.maybe_input(3);
  if (!mask || (given && n.dtype(given) != kBool)) return mask;
  const Value zeros = n.call("aten::new_zeros", {a.q, Ints{1}});
  return n.call("aten::where.ScalarOther", {mask, zeros, -kInfinity});
}

// Rows without any key have the probabilities 0, whatever (perhaps nan) their scores are.
Value probabilities(Node& n, const Attention& a, Value biased, Value bias) {
  Value empty;
  if (bias) {
    empty = n.call("aten::eq.Scalar", {n.call("aten::amax", {bias, Ints{-1}, true}), -kInfinity});
    biased = n.call("aten::masked_fill.Scalar", {biased, empty, 0});
  }
  if (a.softmax != a.dtype) biased = n.call("aten::to.dtype", {biased, Dtype{a.softmax}});
  Value p = n.call("aten::softmax.int", {biased, -1});
  if (a.softmax != a.dtype) p = n.call("aten::to.dtype", {p, Dtype{a.dtype}});
  return bias ? n.call("aten::masked_fill.Scalar", {p, empty, 0}) : p;
}

Value attend_by_steps(Node& n, const Attention& a) {
  const int64_t mode = n.integer("qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3)
    throw Invalid("attribute 'qk_matmul_output_mode': expected 0 to 3, got " +
                  std::to_string(mode));
  Values stages{products(n, a)};
  Value s = capped(n, a, stages[0]);
  stages.push_back(s);
  const Value bias = bias_of(n, a);
  if (bias) s = n.call("aten::add.Tensor", {s, bias});
  stages.push_back(s);
  stages.push_back(probabilities(n, a, s, bias));
  if (n.wanted(3)) n.output(stages[static_cast<size_t>(mode)], 3);
  return weighted(n, a, stages[3]);
}

void lower_attention(Node& n) {
  const Attention a = read_attention(n);
  const bool fused = fits_aten(n, a);
  if (fused) n.ignore("qk_matmul_output_mode");
  const Value y = fused ? attend(n, a) : attend_by_steps(n, a);
  n.output(a.flat ? merge_heads(n, y) : y);
  if (n.wanted(1)) n.output(a.k, 1);
  if (n.wanted(2)) n.output(a.v, 2);
}

// ---- RotaryEmbedding ----

void rotary_embedding(Node& n) {
  Value x = n.input(0);
  const Int batch = n.dim(x, 0), length = n.dim(x, 1);
  const int64_t heads = n.integer("num_heads", 0), part = n.integer("rotary_embedding_dim", 0);
  const bool flat = n.rank(x, 3) == 3;
  if (flat && heads < 1)
    throw Invalid("attribute 'num_heads': expected a positive value with an input of rank 3");
  Rotation r{n.input(1), n.input(2), n.maybe_input(3), n.flag("interleaved", false)};
  if (part > 0) r.width = part;
  if (flat) x = split_heads(n, x, heads);
  const Value y = rotated(n, x, r);
  n.output(flat ? merge_heads(n, y, batch, length) : y);
}

constexpr o2fx_op kOps[] = {
    op("Attention", 23, lower<lower_attention>),
    op("RotaryEmbedding", 23, lower<rotary_embedding>),
};

}  // namespace

const Family kAttention = family(kOps);
