// Ops that only move elements: what they do is decided on stand-ins where ATen has no kernel for
// the elements themselves. A string tensor is stood in for by the positions of its elements, a
// float8 or wide unsigned tensor by the signed integers of the same bits.
#ifndef ONNX2FX_PLUGINS_LOWERING_MOVEMENT_HPP_
#define ONNX2FX_PLUGINS_LOWERING_MOVEMENT_HPP_

#include <algorithm>
#include <functional>
#include <onnx2fx/plugin.hpp>
#include <vector>

namespace onnx2fx {

/// The signed type of the same width; 0 if ATen moves elements of `dtype` well enough itself.
constexpr int32_t signed_twin(int32_t dtype) {
  if (is_float8(dtype)) return kInt8;
  if (dtype == kUint16) return kInt16;
  if (dtype == kUint32) return kInt32;
  return dtype == kUint64 ? kInt64 : 0;
}

/// kPlain: the ATen ops in use take every element type but strings; kBits: not float8 and wide
/// unsigned integers either.
enum class Elements { kPlain, kBits };

namespace movement {
template <class F>
Values strings(Node& n, const Values& xs, F f) {
  const Values at = n.calls(xs.size(), "onnx2fx::strings_positions", {xs});
  Values r = f(at);
  for (Value& y : r) y = n.call("onnx2fx::strings_take", {xs, y});
  return r;
}

template <class F>
Values bits(Node& n, const Values& xs, int32_t dtype, F f) {
  Values views;
  for (const Value x : xs)
    views.push_back(n.call("aten::view.dtype", {x, Dtype{signed_twin(dtype)}}));
  Values r = f(views);
  for (Value& y : r) y = n.call("aten::view.dtype", {y, Dtype{dtype}});
  return r;
}
}  // namespace movement

/// Values of `f(xs)`, where every result is made of elements of xs (all of one type) and nothing
/// else.
template <class F>
Values moved(Node& n, const Values& xs, Elements elements, F f) {
  const int32_t dtype = xs.empty() ? kUndefined : n.info(xs[0]).raw.dtype;
  if (dtype == kString) return movement::strings(n, xs, f);
  if (elements == Elements::kBits && signed_twin(dtype)) return movement::bits(n, xs, dtype, f);
  return f(xs);
}

/// x without these axes of extent 1: one call for each, from the last on, as compilers take it; one
/// call for all where which is the last is not known.
inline Value without_axes(Node& n, Value x, const Ints& axes) {
  const bool known = std::all_of(axes.begin(), axes.end(), [](const Int& a) { return a.known(); });
  if (axes.size() > 1 && !(known && n.rank_known(x)))
    return n.call("aten::squeeze.dims", {x, axes});
  if (axes.size() == 1) return n.call("aten::squeeze.dim", {x, axes[0]});
  std::vector<int64_t> ordered;
  for (const Int& a : axes) ordered.push_back(Node::axis(a.arg.u.i, n.rank(x)));
  std::sort(ordered.begin(), ordered.end(), std::greater<>());
  if (std::adjacent_find(ordered.begin(), ordered.end()) != ordered.end())
    throw Invalid("axes: expected each axis once");
  for (const int64_t a : ordered) x = n.call("aten::squeeze.dim", {x, a});
  return x;
}

/// A lowering of one moved input and one output.
template <Value (*F)(Node&, Value), Elements kElements = Elements::kPlain>
void moves(Node& n) {
  n.outputs(moved(n, {n.input(0)}, kElements, [&](const Values& x) { return Values{F(n, x[0])}; }));
}

}  // namespace onnx2fx

#endif
