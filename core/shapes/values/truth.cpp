#include <tuple>

#include "core/shapes/real.hpp"
#include "core/shapes/values/rule.hpp"

namespace onnx2fx::conversion {
namespace {

template <class F>
Result pairwise(const Rule& r, F f) {
  const auto inputs = r.all();
  if (!inputs || inputs->size() != 2 || r.n.attribute("broadcast") || r.n.attribute("axis"))
    return {};
  return elementwise(*inputs, [&](const std::vector<MaybeSym>& x) {
    return x[0] && x[1] ? f(*x[0], *x[1]) : MaybeSym();
  });
}

MaybeSym less_of(const Rule& r, const Sym& a, const Sym& b) {
  return is_tracked_float(r.dtype(0)) ? real_less(r.syms(), a, b) : r.syms().less(a, b);
}
MaybeSym equal_of(const Rule& r, const Sym& a, const Sym& b) {
  return is_tracked_float(r.dtype(0)) ? real_equal(r.syms(), a, b) : r.syms().equal(a, b);
}
MaybeSym opposite(const Rule& r, const MaybeSym& truth) {
  return truth ? r.syms().negation(*truth) : MaybeSym();
}

Result equal(const Rule& r) {
  return pairwise(r, [&](const Sym& a, const Sym& b) { return equal_of(r, a, b); });
}
Result less(const Rule& r) {
  return pairwise(r, [&](const Sym& a, const Sym& b) { return less_of(r, a, b); });
}
Result greater(const Rule& r) {
  return pairwise(r, [&](const Sym& a, const Sym& b) { return less_of(r, b, a); });
}
Result less_or_equal(const Rule& r) {
  return pairwise(r, [&](const Sym& a, const Sym& b) { return opposite(r, less_of(r, b, a)); });
}
Result greater_or_equal(const Rule& r) {
  return pairwise(r, [&](const Sym& a, const Sym& b) { return opposite(r, less_of(r, a, b)); });
}

Result logical_and(const Rule& r) {
  return pairwise(r, [&](const Sym& a, const Sym& b) { return r.syms().mul(a, b); });
}
Result logical_or(const Rule& r) {
  return pairwise(r, [&](const Sym& a, const Sym& b) { return r.syms().either(a, b); });
}
Result logical_xor(const Rule& r) {
  return pairwise(r, [&](const Sym& a, const Sym& b) { return opposite(r, r.syms().equal(a, b)); });
}
Result logical_not(const Rule& r) {
  const auto x = r.elements(0);
  if (!x) return {};
  return elementwise({*x}, [&](const std::vector<MaybeSym>& e) { return opposite(r, e[0]); });
}

Result where(const Rule& r) {
  const auto inputs = r.all();
  if (!inputs || inputs->size() != 3) return {};
  return elementwise(*inputs, [&](const std::vector<MaybeSym>& x) -> MaybeSym {
    const auto& [truth, a, b] = std::tie(x[0], x[1], x[2]);
    if (truth && truth->is_literal()) return truth->literal() ? a : b;
    if (!a || !b) return {};
    if (*a == *b) return a;
    if (!truth || !is_whole(r.syms(), *a) || !is_whole(r.syms(), *b)) return {};
    return r.syms().choose(*truth, *a, *b);
  });
}

constexpr NamedRule kRules[] = {
    {"And", logical_and}, {"Equal", equal},
    {"Greater", greater}, {"GreaterOrEqual", greater_or_equal},
    {"Less", less},       {"LessOrEqual", less_or_equal},
    {"Not", logical_not}, {"Or", logical_or},
    {"Where", where},     {"Xor", logical_xor},
};

}  // namespace

std::span<const NamedRule> truth_rules() { return kRules; }

}  // namespace onnx2fx::conversion
