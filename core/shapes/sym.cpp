#include "core/shapes/sym.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace onnx2fx::conversion {
namespace {

constexpr size_t kMaxTerms = 32;
constexpr size_t kMaxText = 400;

int64_t python_floordiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

}  // namespace

void Sym::add_term(const std::vector<AtomId>& factors, int64_t coefficient, bool* overflow) {
  const auto at =
      std::lower_bound(terms_.begin(), terms_.end(), factors,
                       [](const Term& t, const std::vector<AtomId>& f) { return t.factors < f; });
  if (at != terms_.end() && at->factors == factors) {
    if (__builtin_add_overflow(at->coefficient, coefficient, &at->coefficient)) *overflow = true;
    if (at->coefficient == 0) terms_.erase(at);
  } else if (coefficient) {
    terms_.insert(at, {factors, coefficient});
  }
}

Sym SymTable::intern(const std::string& key, Atom atom) {
  const auto [it, fresh] = by_key_.try_emplace(key, static_cast<AtomId>(atoms_.size()));
  if (fresh) {
    if (atom.name.empty()) atom.name = "u";
    const int n = names_[atom.name]++;
    if (n || atom.name == "u") {
      const std::string base = atom.name;
      int k = n;
      do atom.name = base + (base == "u" ? "" : "_") + std::to_string(k++);
      while (names_.count(atom.name));
      names_[base] = k;
      names_[atom.name] = 1;
    }
    atoms_.push_back(std::move(atom));
  }
  return Sym::atom(it->second);
}

Sym SymTable::dim(ValueId value, int64_t axis, const std::string& name_hint) {
  return intern("d" + std::to_string(value) + "." + std::to_string(axis),
                {AtomKind::kDim, value, axis, {}, {}, name_hint});
}
Sym SymTable::element(ValueId value, int64_t index) {
  return intern("e" + std::to_string(value) + "." + std::to_string(index),
                {AtomKind::kElement, value, index, {}, {}, {}});
}
Sym SymTable::number(ValueId value) {
  return intern("n" + std::to_string(value), {AtomKind::kNumber, value, 0, {}, {}, {}});
}
Sym SymTable::real(std::shared_ptr<const Real> real, const std::string& text) {
  return intern(text, {AtomKind::kReal, 0, 0, {}, {}, text, std::move(real)});
}
Sym SymTable::rounding(std::shared_ptr<const Real> real, int64_t how, const Interval& range,
                       const std::string& text) {
  return intern(text, {AtomKind::kRounding, 0, how, range.low, range.high, text, std::move(real)});
}

MaybeSym SymTable::add(const Sym& a, const Sym& b, int64_t sign) {
  Sym r = a;
  bool overflow = false;
  for (const Sym::Term& t : b.terms()) {
    int64_t c;
    if (__builtin_mul_overflow(t.coefficient, sign, &c)) return {};
    r.add_term(t.factors, c, &overflow);
  }
  if (overflow || r.terms().size() > kMaxTerms) return {};
  return r;
}

MaybeSym SymTable::mul(const Sym& a, const Sym& b) {
  Sym r;
  bool overflow = false;
  for (const Sym::Term& x : a.terms())
    for (const Sym::Term& y : b.terms()) {
      std::vector<AtomId> f;
      std::merge(x.factors.begin(), x.factors.end(), y.factors.begin(), y.factors.end(),
                 std::back_inserter(f));
      f.erase(std::unique(f.begin(), f.end(),
                          [&](AtomId p, AtomId q) { return p == q && is_truth(p); }),
              f.end());
      int64_t c;
      if (__builtin_mul_overflow(x.coefficient, y.coefficient, &c)) return {};
      r.add_term(f, c, &overflow);
    }
  if (overflow || r.terms().size() > kMaxTerms) return {};
  return r;
}

MaybeSym SymTable::replaced(const Sym& a, const std::unordered_map<AtomId, Sym>& by) {
  MaybeSym sum = Sym(0);
  for (const Sym::Term& t : a.terms()) {
    MaybeSym term = Sym(t.coefficient);
    for (const AtomId f : t.factors)
      if (term) term = mul(*term, by.contains(f) ? by.at(f) : Sym::atom(f));
    sum = sum && term ? add(*sum, *term) : MaybeSym();
  }
  return sum;
}

MaybeSym SymTable::product(const std::vector<MaybeSym>& all) {
  MaybeSym p = Sym(1);
  for (const MaybeSym& x : all) {
    if (!x || !p) return {};
    p = mul(*p, *x);
  }
  return p;
}

MaybeSym SymTable::divide_exact(const Sym& a, const Sym& b) {
  if (b.terms().size() != 1) return a == b && !a.terms().empty() ? MaybeSym(Sym(1)) : MaybeSym();
  const Sym::Term& d = b.terms()[0];
  Sym r;
  bool overflow = false;
  for (const Sym::Term& t : a.terms()) {
    if ((d.coefficient == -1 && t.coefficient == INT64_MIN) || t.coefficient % d.coefficient)
      return {};
    std::vector<AtomId> f;
    std::set_difference(t.factors.begin(), t.factors.end(), d.factors.begin(), d.factors.end(),
                        std::back_inserter(f));
    if (f.size() + d.factors.size() != t.factors.size()) return {};
    r.add_term(f, t.coefficient / d.coefficient, &overflow);
  }
  if (overflow) return {};
  return r;
}

MaybeSym SymTable::compound(AtomKind kind, const char* name, const Sym& a, const Sym& b) {
  const std::string key = std::string(name) + "(" + text(a) + ", " + text(b) + ")";
  if (key.size() > kMaxText) return {};
  return intern(key, {kind, 0, 0, a, b, key});
}

MaybeSym SymTable::floordiv(const Sym& a, const Sym& b) {
  if (b.is(0)) return {};
  if (a.is_literal() && b.is_literal()) {
    if (b.literal() == -1 && a.literal() == INT64_MIN) return {};
    return Sym(python_floordiv(a.literal(), b.literal()));
  }
  // A quotient by a symbol is exact only where the symbol is not 0; there the division would raise
  // anyway.
  if (MaybeSym exact = divide_exact(a, b)) return exact;
  if (const auto inner = a.as_atom(); inner && b.is_literal() && b.literal() > 0) {
    const Atom x = atoms_[*inner];  // floor(floor(x / c) / d) = floor(x / (c d))
    if (x.kind == AtomKind::kFloorDiv && x.right.is_literal() && x.right.literal() > 0)
      if (const MaybeSym both = mul(x.right, b)) return floordiv(x.left, *both);
  }
  return compound(AtomKind::kFloorDiv, "floordiv", a, b);
}

MaybeSym SymTable::ceildiv(const Sym& a, const Sym& b) {
  if (b.is_literal() && b.literal() > 0) {
    const MaybeSym up = add(a, Sym(b.literal() - 1));
    return up ? floordiv(*up, b) : MaybeSym();
  }
  const MaybeSym minus = mul(a, Sym(-1));
  const MaybeSym floor = minus ? floordiv(*minus, b) : MaybeSym();
  return floor ? mul(*floor, Sym(-1)) : MaybeSym();
}

MaybeSym SymTable::truncdiv(const Sym& a, const Sym& b) {
  if (b.is_literal() && b.literal() < 0) {
    if (b.literal() == INT64_MIN) return {};
    const MaybeSym minus = mul(a, Sym(-1));
    return minus ? truncdiv(*minus, Sym(-b.literal())) : MaybeSym();
  }
  if (MaybeSym exact = divide_exact(a, b)) return exact;
  if (!never_negative(b)) return {};
  if (never_negative(a)) return floordiv(a, b);
  const MaybeSym floor = floordiv(a, b), ceil = ceildiv(a, b);
  const MaybeSym above = floor ? max(*floor, Sym(0)) : MaybeSym();
  const MaybeSym below = ceil ? min(*ceil, Sym(0)) : MaybeSym();
  return above && below ? add(*above, *below) : MaybeSym();
}

MaybeSym SymTable::mod(const Sym& a, const Sym& b) {
  if (b.is(0)) return {};
  if (a.is_literal() && b.is_literal()) {
    const int64_t m = b.literal() == -1 ? 0 : a.literal() % b.literal();
    return Sym(m && (m < 0) != (b.literal() < 0) ? m + b.literal() : m);
  }
  if (divide_exact(a, b)) return Sym(0);
  return compound(AtomKind::kMod, "mod", a, b);
}

/// Whether a is the least (greatest) of b and something else.
bool SymTable::is_bounded_by(AtomKind kind, const Sym& a, const Sym& b) const {
  const auto atom = a.as_atom();
  return atom && atoms_[*atom].kind == kind &&
         (atoms_[*atom].left == b || atoms_[*atom].right == b);
}

MaybeSym SymTable::max(const Sym& a, const Sym& b) {
  const MaybeSym d = add(a, b, -1);
  if ((d && never_negative(*d)) || is_bounded_by(AtomKind::kMin, b, a)) return a;
  const MaybeSym e = add(b, a, -1);
  if ((e && never_negative(*e)) || is_bounded_by(AtomKind::kMin, a, b)) return b;
  return text(a) <= text(b) ? compound(AtomKind::kMax, "max", a, b)
                            : compound(AtomKind::kMax, "max", b, a);
}

MaybeSym SymTable::min(const Sym& a, const Sym& b) {
  const MaybeSym d = add(a, b, -1);
  if ((d && never_negative(*d)) || is_bounded_by(AtomKind::kMax, a, b)) return b;
  const MaybeSym e = add(b, a, -1);
  if ((e && never_negative(*e)) || is_bounded_by(AtomKind::kMax, b, a)) return a;
  if (a.is_literal()) return min_with(b, a.literal());
  if (b.is_literal()) return min_with(a, b.literal());
  return text(a) <= text(b) ? compound(AtomKind::kMin, "min", a, b)
                            : compound(AtomKind::kMin, "min", b, a);
}

/// min(3, min(5, x)) is min(3, x).
MaybeSym SymTable::min_with(Sym a, int64_t c) {
  while (const auto atom = a.as_atom()) {
    const Atom x = atoms_[*atom];
    if (x.kind != AtomKind::kMin || !(x.left.is_literal() || x.right.is_literal())) break;
    c = std::min(c, x.left.is_literal() ? x.left.literal() : x.right.literal());
    a = x.left.is_literal() ? x.right : x.left;
  }
  const Sym literal(c);
  return text(a) <= text(literal) ? compound(AtomKind::kMin, "min", a, literal)
                                  : compound(AtomKind::kMin, "min", literal, a);
}

/// Where the extents broadcast, the result is b: they are equal, or a is 1, as b is never less and
/// is 0 where a is.
bool SymTable::fits_into(const Sym& a, const Sym& b) {
  const MaybeSym most = max(a, b), some = min(a, Sym(1));
  return most && *most == b && some && some == min(b, Sym(1));
}

MaybeSym SymTable::broadcast(const Sym& a, const Sym& b) {
  if (a.is(1) || a == b) return b;
  if (b.is(1) || a.is_literal()) return a;
  if (b.is_literal() || fits_into(a, b)) return b;
  return fits_into(b, a) ? MaybeSym(a) : MaybeSym();
}

std::string SymTable::text(const Sym& a) {
  if (a.is_literal()) return std::to_string(a.literal());
  std::string s;
  for (auto t = a.terms().rbegin(); t != a.terms().rend(); ++t) {
    const int64_t c = t->coefficient;
    if (!s.empty())
      s += c < 0 ? " - " : " + ";
    else if (c < 0)
      s += "-";
    const uint64_t magnitude = c < 0 ? 0 - static_cast<uint64_t>(c) : static_cast<uint64_t>(c);
    const bool number = magnitude != 1 || t->factors.empty();
    if (number) s += std::to_string(magnitude);
    for (size_t i = 0; i < t->factors.size(); i++)
      s += (i || number ? "*" : "") + atoms_[t->factors[i]].name;
  }
  by_text_.emplace(s, a);
  return s;
}

MaybeSym SymTable::parse(const std::string& text) const {
  const auto it = by_text_.find(text);
  return it == by_text_.end() ? MaybeSym() : MaybeSym(it->second);
}

}  // namespace onnx2fx::conversion
