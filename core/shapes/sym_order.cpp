// Of symbolic integers: truths about them, and what they can be at least and at most.
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <utility>

#include "core/shapes/sym.hpp"

namespace onnx2fx::conversion {
namespace {

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
/// Truths in one expression that are told apart by cases.
constexpr size_t kMaxTruths = 4;

int64_t saturated(__int128 x) {
  return x < kLeast ? kLeast : x > kMost ? kMost : static_cast<int64_t>(x);
}
Interval operator+(const Interval& a, const Interval& b) {
  return {saturated(static_cast<__int128>(a.low) + b.low),
          saturated(static_cast<__int128>(a.high) + b.high)};
}
Interval operator*(const Interval& a, const Interval& b) {
  const __int128 all[] = {
      static_cast<__int128>(a.low) * b.low, static_cast<__int128>(a.low) * b.high,
      static_cast<__int128>(a.high) * b.low, static_cast<__int128>(a.high) * b.high};
  const auto [low, high] = std::minmax_element(std::begin(all), std::end(all));
  return {saturated(*low), saturated(*high)};
}
/// From -m to m, where m is the greatest magnitude in it.
Interval symmetric(const Interval& a) {
  const __int128 m = std::max(-static_cast<__int128>(a.low), static_cast<__int128>(a.high));
  return {saturated(-m), saturated(m)};
}

Interval quotient(const Interval& a, const Interval& b) {
  if (b.low == b.high && b.low > 0) {
    const auto floor = [&](int64_t x) { return x / b.low - (x % b.low < 0); };
    return {floor(a.low), floor(a.high)};
  }
  if (b.low < 0) return symmetric(a);
  return {std::min<int64_t>(a.low, 0), std::max<int64_t>(a.high, 0)};
}

Interval remainder(const Interval& b) {
  if (b.low < 0) return symmetric(b);
  return {0, std::max<int64_t>(b.high - 1, 0)};
}

}  // namespace

// ---- truths

std::optional<SymTable::Cases> SymTable::cases(const Sym& a) {
  std::vector<AtomId> truths;
  for (const Sym::Term& t : a.terms())
    for (const AtomId f : t.factors)
      if (is_truth(f) && std::find(truths.begin(), truths.end(), f) == truths.end())
        truths.push_back(f);
  if (truths.empty() || truths.size() > kMaxTruths) return {};
  return Cases{truths[0], replaced(a, {{truths[0], Sym(1)}}), replaced(a, {{truths[0], Sym(0)}})};
}

// The terms apart by sign, so that nothing is subtracted. A common factor of all of them is left
// out, the constant rounded as the relation allows.
MaybeSym SymTable::relation(AtomKind kind, const char* name, const Sym& difference) {
  int64_t common = 0, constant = 0;
  for (const Sym::Term& t : difference.terms()) {
    if (t.coefficient == kLeast) return {};
    if (t.factors.empty())
      constant = t.coefficient;
    else
      common = std::gcd(common, t.coefficient);
  }
  if (kind == AtomKind::kEqual && constant % common) return Sym(0);
  const int64_t rest = constant / common + (constant % common > 0);
  const bool swap = kind == AtomKind::kEqual && difference.terms().back().coefficient > 0;
  Sym sides[2];
  bool overflow = false;
  for (const Sym::Term& t : difference.terms()) {
    const int64_t c = t.factors.empty() ? 0 : t.coefficient / common;
    sides[(c > 0) != swap].add_term(t.factors, std::abs(c), &overflow);
  }
  sides[(rest > 0) != swap].add_term({}, std::abs(rest), &overflow);
  return overflow ? MaybeSym() : compound(kind, name, sides[0], sides[1]);
}

MaybeSym SymTable::equal(const Sym& a, const Sym& b) {
  const MaybeSym d = add(a, b, -1);
  if (!d) return {};
  if (d->is_literal()) return Sym(d->literal() == 0);
  if (const auto by = cases(*d)) {
    const MaybeSym where = by->where ? equal(*by->where, Sym(0)) : MaybeSym();
    const MaybeSym elsewhere = by->elsewhere ? equal(*by->elsewhere, Sym(0)) : MaybeSym();
    return where && elsewhere ? choose(Sym::atom(by->truth), *where, *elsewhere) : MaybeSym();
  }
  for (const int64_t sign : {1, -1}) {
    const MaybeSym apart = add(Sym(-1), *d, sign);
    if (apart && never_negative(*apart)) return Sym(0);
  }
  return relation(AtomKind::kEqual, "equal", *d);
}

MaybeSym SymTable::less(const Sym& a, const Sym& b) {
  const MaybeSym d = add(b, a, -1);
  if (!d) return {};
  if (d->is_literal()) return Sym(d->literal() > 0);
  if (const auto by = cases(*d)) {
    const MaybeSym where = by->where ? less(Sym(0), *by->where) : MaybeSym();
    const MaybeSym elsewhere = by->elsewhere ? less(Sym(0), *by->elsewhere) : MaybeSym();
    return where && elsewhere ? choose(Sym::atom(by->truth), *where, *elsewhere) : MaybeSym();
  }
  if (const MaybeSym above = add(*d, Sym(1), -1); above && never_negative(*above)) return Sym(1);
  if (const MaybeSym minus = mul(*d, Sym(-1)); minus && never_negative(*minus)) return Sym(0);
  return relation(AtomKind::kLess, "less", *d);
}

MaybeSym SymTable::either(const Sym& a, const Sym& b) {
  const MaybeSym sum = add(a, b), both = mul(a, b);
  return sum && both ? add(*sum, *both, -1) : MaybeSym();
}

MaybeSym SymTable::choose(const Sym& truth, const Sym& a, const Sym& b) {
  const MaybeSym difference = add(a, b, -1);
  const MaybeSym part = difference ? mul(truth, *difference) : MaybeSym();
  return part ? add(b, *part) : MaybeSym();
}

// ---- bounds

bool SymTable::never_negative(const Sym& a) {
  const bool falls = std::any_of(a.terms().begin(), a.terms().end(),
                                 [](const Sym::Term& t) { return t.coefficient < 0; });
  if (falls) {
    const auto by = cases(a);
    return by && by->where && by->elsewhere && never_negative(*by->where) &&
           never_negative(*by->elsewhere);
  }
  for (const Sym::Term& t : a.terms())
    for (const AtomId f : t.factors) {
      const Atom x = atoms_[f];
      switch (x.kind) {
        case AtomKind::kDim:
        case AtomKind::kEqual:
        case AtomKind::kLess:
          break;
        case AtomKind::kRounding:
          if (x.left.literal() < 0) return false;
          break;
        case AtomKind::kElement:
        case AtomKind::kNumber:
        case AtomKind::kReal:
          return false;
        case AtomKind::kMod:
          if (!never_negative(x.right)) return false;
          break;
        case AtomKind::kMax:
          if (!never_negative(x.left) && !never_negative(x.right)) return false;
          break;
        case AtomKind::kFloorDiv:
        case AtomKind::kMin:
          if (!never_negative(x.left) || !never_negative(x.right)) return false;
          break;
      }
    }
  return true;
}

std::optional<Interval> SymTable::interval(const Atom& a, bool counts) const {
  if (a.kind == AtomKind::kDim) return Interval{0, kMaxExtent};
  if (a.kind == AtomKind::kEqual || a.kind == AtomKind::kLess) return Interval{0, 1};
  if (a.kind == AtomKind::kRounding) return Interval{a.left.literal(), a.right.literal()};
  if (a.kind == AtomKind::kElement || a.kind == AtomKind::kNumber || a.kind == AtomKind::kReal)
    return {};
  const auto left = interval(a.left, counts), right = interval(a.right, counts);
  if (!left || !right) return {};
  switch (a.kind) {
    case AtomKind::kFloorDiv:
      return quotient(*left, *right);
    case AtomKind::kMod:
      return remainder(*right);
    case AtomKind::kMax:
      return Interval{std::max(left->low, right->low), std::max(left->high, right->high)};
    default:  // kMin
      return Interval{std::min(left->low, right->low), std::min(left->high, right->high)};
  }
}

std::optional<Interval> SymTable::interval(const Sym& a, bool counts) const {
  Interval sum{0, 0};
  for (const Sym::Term& t : a.terms()) {
    Interval product{1, 1}, extents{1, 1};
    for (const AtomId f : t.factors) {
      const auto factor = interval(atoms_[f], counts);
      if (!factor) return {};
      Interval& part = atoms_[f].kind == AtomKind::kDim ? extents : product;
      part = part * *factor;
    }
    if (counts) extents.high = std::min(extents.high, kMaxExtent);
    sum = sum + product * extents * Interval{t.coefficient, t.coefficient};
  }
  return sum;
}

bool SymTable::fits(const Sym& a, int bits) const {
  if (a.is_literal()) {
    const int unused = 64 - bits;
    return a.literal() >= kLeast >> unused && a.literal() <= kMost >> unused;
  }
  const auto all = interval(a, true);
  if (!all) return bits == 64;
  const int unused = 64 - bits;
  return all->low > kLeast >> unused && all->high < kMost >> unused;
}

}  // namespace onnx2fx::conversion
