// GroupQueryAttention: causal attention over a cache of keys and values, in which a head of keys
// serves several heads of queries. seqlens_k says for each sample how many keys there are once the
// new ones are in (less one); the new ones of a sample stand right before that.
#include <limits>

#include "plugins/com.microsoft/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/attention.hpp"
#include "plugins/lowering/rotary.hpp"

using namespace onnx2fx;
using namespace onnx2fx::attention;
using namespace contrib;

namespace {

struct Grouped : Heads {
  int64_t heads = 0, kv_heads = 0;
  Value before;  // (N, 1): how many keys a sample had
  Value places;  // (N, L): where the new keys stand
  Value bias, sink;
  bool smooth = false;
  Window window;
  int32_t dtype = 0;
  Int batch, queries, total, size;
};

void refuse_quantized(Node& n) {
  for (const char* name : {"k_quant_type", "v_quant_type"})
    if (n.text(name, "NONE") != "NONE")
      throw Unsupported("attribute '" + std::string(name) + "': expected NONE");
  n.ignore("kv_cache_bit_width");
  if (n.maybe_input(12) || n.maybe_input(13))
    throw Unsupported("inputs 'k_scale' and 'v_scale': expected none");
  if (n.flag("sliding_window_cache", false))
    throw Unsupported("attribute 'sliding_window_cache': expected 0");
  if (n.integer("qk_output", 0) != 0 || n.wanted(3))
    throw Unsupported("attribute 'qk_output': expected 0");
}

Value heads_of(Node& n, const Grouped& g, Value v, int64_t heads) {
  return split_heads(n, v, Ints{g.batch, g.queries, heads, g.size});
}

void read_operands(Node& n, Grouped& g) {
  const Value query = n.input(0), key = n.maybe_input(1), value = n.maybe_input(2);
  g.dtype = n.dtype(query);
  g.batch = n.dim(query, 0), g.queries = n.dim(query, 1);
  const int64_t all = g.heads + (key ? 0 : 2 * g.kv_heads);
  g.size = n.floordiv(n.dim(query, 2), all);
  Values parts{query, key, value};
  if (!key) {
    const Int kv = n.mul(g.size, g.kv_heads);
    parts = n.calls(3, "aten::split_with_sizes", {query, Ints{n.mul(g.size, g.heads), kv, kv}, -1});
  } else if (!value) {
    throw Invalid("inputs 'key' and 'value': expected both or none");
  }
  g.q = heads_of(n, g, parts[0], g.heads);
  g.k = heads_of(n, g, parts[1], g.kv_heads);
  g.v = heads_of(n, g, parts[2], g.kv_heads);
}

void normalize_heads(Node& n, Grouped& g) {
  const Value q = n.maybe_input(14), k = n.maybe_input(15);
  const double epsilon = n.real("qk_norm_epsilon", 1e-6);
  if (!q != !k) throw Invalid("inputs 'q_norm_weight' and 'k_norm_weight': expected both or none");
  if (!q) return;
  const auto normal = [&](Value v, Value weight) {
    n.role(weight, O2FX_ROLE_PARAMETER);
    return n.call("aten::rms_norm", {v, Ints{g.size}, weight, epsilon});
  };
  g.q = normal(g.q, q), g.k = normal(g.k, k);
}

// A prompt with padding has fewer keys than places; it starts at 0 all the same.
void read_places(Node& n, Grouped& g) {
  const Value last = n.call("aten::reshape", {n.cast(n.input(5), kInt64), Ints{-1, 1}});
  g.total = n.integer_of(n.input(6));
  g.before = n.call("aten::clamp", {n.call("aten::add.Scalar", {last, n.sub(1, g.queries)}), 0});
  g.places = n.call("aten::add.Tensor", {places(n, g.queries, g.q, Ints{1, -1}), g.before});
}

void rotate(Node& n, Grouped& g) {
  const bool rotary = n.flag("do_rotary", false), interleaved = n.flag("rotary_interleaved", false);
  const Value cos = n.maybe_input(7), sin = n.maybe_input(8), positions = n.maybe_input(9);
  if (!rotary) return;
  if (!cos || !sin) throw Invalid("inputs 'cos_cache', 'sin_cache': expected both with do_rotary");
  const Rotation r{cos, sin, positions ? positions : g.places, interleaved,
                   n.mul(n.dim(cos, 1), 2)};
  g.q = rotated(n, g.q, r), g.k = rotated(n, g.k, r);
}

// The cache with the new keys (or values) in their places.
Value cached(Node& n, const Grouped& g, Value past, Value now) {
  if (!past) return now;
  const Int length = n.max(n.dim(past, 2), g.total);
  const Value room =
      n.call("aten::constant_pad_nd", {past, Ints{0, 0, 0, n.sub(length, n.dim(past, 2))}, 0});
  Value at = n.call("aten::reshape", {g.places, Ints{g.batch, 1, g.queries, 1}});
  at = n.call("aten::expand", {at, Ints{g.batch, g.kv_heads, g.queries, g.size}});
  return n.call("aten::scatter.src", {room, 2, at, now});
}

// (N, 1, L, keys): which keys a query sees.
Value seen_keys(Node& n, const Grouped& g) {
  const Value key = places(n, g.total, g.q, Ints{1, 1, 1, -1});
  if (!g.window.causal) {
    const Value last = n.call("aten::reshape", {n.input(5), Ints{-1, 1, 1, 1}});
    return n.call("aten::le.Tensor", {key, last});
  }
  const Value query = n.call("aten::reshape", {g.places, Ints{g.batch, 1, g.queries, 1}});
  return seen(n, g.window, query, key);
}

Value mask_of(Node& n, const Grouped& g) {
  const Value seen = seen_keys(n, g);
  if (!g.bias) return seen;
  const double hidden = -std::numeric_limits<double>::infinity();
  return n.call("aten::where.ScalarOther", {seen, g.bias, hidden});
}

// A softmax with one more score, that of no key.
Value softmax_with_sink(Node& n, const Grouped& g, Value scores) {
  const Ints shape{g.batch, g.heads, g.queries, 1};
  const Value sink =
      g.sink ? n.call("aten::expand",
                      {n.call("aten::reshape", {g.sink, Ints{1, g.heads, 1, 1}}), shape})
             : n.call("aten::new_zeros", {scores, shape});
  const Value p =
      n.call("aten::softmax.int", {n.call("aten::cat", {Values{scores, sink}, -1}), -1});
  return n.call("aten::slice.Tensor", {p, -1, 0, g.total});
}

Value attend_by_steps(Node& n, const Grouped& g) {
  Value s = capped(n, g, products(n, g));
  if (g.bias) s = n.call("aten::add.Tensor", {s, g.bias});
  s = n.call("aten::where.ScalarOther",
             {seen_keys(n, g), s, -std::numeric_limits<double>::infinity()});
  const bool sink = g.sink || g.smooth;
  return weighted(n, g, sink ? softmax_with_sink(n, g, s) : n.call("aten::softmax.int", {s, -1}));
}

Value attend(Node& n, const Grouped& g, bool cache) {
  if (g.softcap > 0 || g.sink || g.smooth) return attend_by_steps(n, g);
  const bool triangle = !cache && g.window.causal && g.window.left < 0 && !g.bias;
  return fused(n, g, triangle ? Value{} : mask_of(n, g), triangle);
}

Grouped read_attributes(Node& n) {
  Grouped g;
  g.heads = n.integer("num_heads"), g.kv_heads = n.integer("kv_num_heads");
  if (g.heads < 1 || g.kv_heads < 1 || g.heads % g.kv_heads)
    throw Invalid("attribute 'num_heads': expected a multiple of kv_num_heads");
  g.grouped = g.heads != g.kv_heads;
  const int64_t window = n.integer("local_window_size", -1);  // with the query's own place
  if (window == 0) throw Invalid("attribute 'local_window_size': expected 1 or more, or -1, got 0");
  g.window = {n.flag("causal", true), window < 0 ? -1 : window - 1};
  g.softcap = n.real("softcap", 0.0);
  g.smooth = n.integer("smooth_softmax", -1) > 0;
  if (const double scale = n.real("scale", 0.0); scale != 0) g.scale = scale;
  g.bias = n.maybe_input(10), g.sink = n.maybe_input(11);
  return g;
}

void group_query_attention(Node& n) {
  refuse_quantized(n);
  Grouped g = read_attributes(n);
  const Value past_key = n.maybe_input(3), past_value = n.maybe_input(4);
  if (!past_key != !past_value)
    throw Invalid("inputs 'past_key' and 'past_value': expected both or none");
  read_operands(n, g);
  normalize_heads(n, g);
  read_places(n, g);
  rotate(n, g);
  if (!past_key) g.total = g.queries;
  const Value k = cached(n, g, past_key, g.k), v = cached(n, g, past_value, g.v);
  const auto used = [&](Value x) {
    return past_key ? n.call("aten::slice.Tensor", {x, 2, 0, g.total}) : x;
  };
  g.k = used(k), g.v = used(v);
  n.output(merge_heads(n, attend(n, g, static_cast<bool>(past_key))));
  if (n.wanted(1)) n.output(k, 1);
  if (n.wanted(2)) n.output(v, 2);
}

constexpr o2fx_op kOps[] = {row("GroupQueryAttention", lower<group_query_attention>)};

}  // namespace

const Family kGroupQueryAttention = family(kOps);
