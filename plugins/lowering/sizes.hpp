// Branch-free arithmetic on sizes that may be known only at run time. Literals fold, so what an
// ordinary model leaves behind is the literal alone.
#ifndef ONNX2FX_PLUGINS_LOWERING_SIZES_HPP_
#define ONNX2FX_PLUGINS_LOWERING_SIZES_HPP_

#include <limits>
#include <onnx2fx/plugin.hpp>

namespace onnx2fx::sizes {

/// A value of kind INT as a number.
inline Int number(Value v) {
  o2fx_arg a{};
  a.tag = O2FX_T_VALUE;
  a.u.v = v.id;
  return Int(a);
}
inline Int clamp(Node& n, Int a, Int low, Int high) { return n.min(n.max(a, low), high); }
/// 1 if a < 0, else 0.
inline Int is_negative(Node& n, Int a) { return n.min(n.max(n.sub(0, a), 0), 1); }
/// 1 if a == b, else 0.
inline Int is_equal(Node& n, Int a, Int b) {
  if (a == b) return 1;
  const Int d = n.sub(a, b);
  return n.sub(1, n.min(n.max(d, n.sub(0, d)), 1));
}
/// `condition` ? a : b, where condition is 0 or 1.
inline Int choose(Node& n, Int condition, Int a, Int b) {
  if (condition.known()) return condition.is(1) ? a : b;
  return n.add(b, n.mul(condition, n.sub(a, b)));
}
/// Of two extents that broadcast: `a` is 1, `b` is 1, or both are equal. Where a is never more than
/// b, and 0 where b is, that is b.
inline Int broadcast(Node& n, Int a, Int b) {
  if (a.is(1) || (n.max(a, b) == b && n.min(a, 1) == n.min(b, 1))) return b;
  return choose(n, is_equal(n, b, 1), a, b);
}
/// A position counted from the front, as far as a negative one counts from the end.
inline Int from_front(Node& n, Int a, Int extent) {
  if (a.known()) return a.arg.u.i < 0 ? n.add(extent, a) : a;
  return n.add(a, n.mul(is_negative(n, a), extent));
}
/// ceil(a / b).
inline Int ceildiv(Node& n, Int a, Int b) { return n.sub(0, n.floordiv(n.sub(0, a), b)); }
/// The extent of an axis that itself may be known only at run time.
inline Int extent(Node& n, Value x, Int axis) {
  if (axis.known()) return n.dim(x, axis.arg.u.i);
  return number(n.call("aten::sym_size.int", {x, axis}));
}
/// The one element of an integer tensor, whose rank need not be known.
inline Int integer(Node& n, Value v) {
  const auto all = n.maybe_ints(v);
  if (!all) return number(n.call("aten::_local_scalar_dense", {v}));
  if (all->size() != 1) throw Invalid("expected one integer, got " + std::to_string(all->size()));
  return all->front();
}
/// The elements of an integer tensor, or of a float one that holds whole numbers, as the first
/// opset had it.
inline Ints whole_numbers(Node& n, Value v) {
  if (!is_floating(n.info(v).raw.dtype)) return n.ints(v);
  const auto reals = n.constant_reals(v);
  if (!reals) throw Unsupported("expected sizes given as floats to be known at conversion time");
  Ints r;
  for (const double x : *reals) r.push_back(static_cast<int64_t>(x));
  return r;
}
/// An attribute that became an input: a list of integers, nullopt if neither is there.
inline std::optional<Ints> given(Node& n, std::string_view attribute, size_t input) {
  if (n.has(attribute)) {
    Ints r;
    for (const int64_t i : n.int64s(attribute)) r.push_back(i);
    return r;
  }
  const Value v = n.maybe_input(input);
  if (!v) return std::nullopt;
  return whole_numbers(n, v);
}
/// The same, where it has to be there.
inline Ints required(Node& n, std::string_view attribute, size_t input) {
  const std::optional<Ints> ints = given(n, attribute, input);
  return ints ? *ints : whole_numbers(n, n.input(input));
}

}  // namespace onnx2fx::sizes

#endif
