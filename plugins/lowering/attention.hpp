// What every form of attention is made of. Queries, keys and values are (N, heads, length, size of
// a head).
#ifndef ONNX2FX_PLUGINS_LOWERING_ATTENTION_HPP_
#define ONNX2FX_PLUGINS_LOWERING_ATTENTION_HPP_

#include <onnx2fx/plugin.hpp>
#include <optional>

namespace onnx2fx::attention {

/// (N, L, heads * size) as (N, heads, L, size).
Value split_heads(Node& n, Value v, int64_t heads);
/// The same by all four sizes, N, L, heads and size, where v does not tell them.
Value split_heads(Node& n, Value v, const Ints& sizes);
/// (N, heads, L, size) as (N, L, heads * size).
Value merge_heads(Node& n, Value v);
/// The same by N and L, where v does not tell them.
Value merge_heads(Node& n, Value v, const Int& batch, const Int& length);

struct Heads {
  Value q, k, v;
  bool grouped = false;         ///< a head of k and v serves several heads of q
  std::optional<double> scale;  ///< of the products; none: 1 / sqrt(size of a head)
  double softcap = 0;           ///< 0: none
};

/// One call of ATen's. The mask is bool, or what is added to the scores, or empty; `triangle`: as
/// many keys as queries, and none ahead of a query takes part.
Value fused(Node& n, const Heads& h, Value mask, bool triangle);

/// The other way, for what ATen's has not: the scaled products of q and k,
Value products(Node& n, const Heads& h);
/// these capped,
Value capped(Node& n, const Heads& h, Value scores);
/// and the means of v by probabilities that were made of them.
Value weighted(Node& n, const Heads& h, Value probabilities);

/// How far behind and ahead of a query a key may stand; -1: any distance.
struct Window {
  bool causal = false;  ///< not ahead at all
  int64_t left = -1, right = -1;
  bool open() const { return !causal && left < 0 && right < 0; }
};
/// True where the key at a place is seen by the query at its place, which broadcast to (N, 1, L,
/// keys); empty if the window is open.
Value seen(Node& n, const Window& w, Value query, Value key);
/// True for the places of keys below the length of each sample: (N, 1, 1, keys).
Value within(Node& n, Value key, Value lengths);
/// Both hold; a may be empty.
Value both(Node& n, Value a, Value b);

}  // namespace onnx2fx::attention

#endif
