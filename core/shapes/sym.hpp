// Symbolic integers: sizes that are known only when the module runs. A Sym is a polynomial with
// int64 coefficients over atoms; an atom is the extent of an axis of a value, an element of an
// integer tensor, floordiv, mod, max, min of two Syms, or a truth about two: 1 where one equals
// (is less than) the other, else 0. Truths are computed with like numbers: and is a product, not is
// 1 - x. Atoms are interned, so equal expressions compare equal.
//
// What an expression can be at most is known only if an extent is bounded. Where it matters, namely
// whether int32 wraps and float32 rounds, an axis is taken to be no longer than kMaxExtent.
#ifndef ONNX2FX_CORE_SHAPES_SYM_HPP_
#define ONNX2FX_CORE_SHAPES_SYM_HPP_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace onnx2fx::conversion {

using AtomId = uint32_t;
using ValueId = uint64_t;  ///< of a value under conversion; 0: none

constexpr int64_t kMaxExtent = 65536;

class Sym {
 public:
  Sym() = default;  ///< 0
  Sym(int64_t c) {
    if (c) terms_.push_back({{}, c});
  }
  static Sym atom(AtomId a) {
    Sym s;
    s.terms_.push_back({{a}, 1});
    return s;
  }
  bool is_literal() const {
    return terms_.empty() || (terms_.size() == 1 && terms_[0].factors.empty());
  }
  bool is(int64_t c) const { return is_literal() && literal() == c; }
  int64_t literal() const { return terms_.empty() ? 0 : terms_[0].coefficient; }
  /// The atom, if the expression is nothing else.
  std::optional<AtomId> as_atom() const {
    if (terms_.size() != 1 || terms_[0].coefficient != 1 || terms_[0].factors.size() != 1)
      return {};
    return terms_[0].factors[0];
  }
  bool operator==(const Sym&) const = default;

  struct Term {
    std::vector<AtomId> factors;  ///< sorted; empty: the constant term
    int64_t coefficient;
    bool operator==(const Term&) const = default;
  };
  /// Sorted by factors; no zero coefficients.
  const std::vector<Term>& terms() const { return terms_; }

 private:
  friend class SymTable;
  void add_term(const std::vector<AtomId>& factors, int64_t coefficient, bool* overflow);
  std::vector<Term> terms_;
};
using MaybeSym = std::optional<Sym>;

enum class AtomKind : uint8_t {
  kDim,      ///< extent of axis `index` of value `value`
  kElement,  ///< element `index` (C order) of the integer tensor `value`: data-dependent
  kNumber,   ///< `value` itself, a Python int made by an FX node
  kFloorDiv,
  kMod,
  kMax,
  kMin,
  kEqual,     ///< 1 or 0
  kLess,      ///< 1 or 0
  kRounding,  ///< `real` made whole as `index` says; from `left` to `right`, both literals
  kReal       ///< `real`, which is no integer, see real.hpp; only as an element of a float tensor
};
struct Real;
struct Atom {
  AtomKind kind;
  ValueId value = 0;
  int64_t index = 0;
  Sym left, right;
  std::string name;  ///< unique text
  std::shared_ptr<const Real> real = nullptr;
};
struct Interval {
  int64_t low, high;
};

/// Makes and interns atoms; arithmetic folds what it can. nullopt: overflow or too large an
/// expression, treated as unknown.
class SymTable {
 public:
  Sym dim(ValueId value, int64_t axis, const std::string& name_hint = {});
  Sym element(ValueId value, int64_t index);
  Sym number(ValueId value);
  /// The texts are unique.
  Sym real(std::shared_ptr<const Real> real, const std::string& text);
  Sym rounding(std::shared_ptr<const Real> real, int64_t how, const Interval& range,
               const std::string& text);
  MaybeSym add(const Sym& a, const Sym& b, int64_t sign = 1);
  MaybeSym mul(const Sym& a, const Sym& b);
  /// Python's //; nullopt for a literal 0 divisor.
  MaybeSym floordiv(const Sym& a, const Sym& b);
  /// Towards 0, as integer tensors are divided; nullopt where the divisor's sign is not known.
  MaybeSym truncdiv(const Sym& a, const Sym& b);
  MaybeSym ceildiv(const Sym& a, const Sym& b);
  MaybeSym mod(const Sym& a, const Sym& b);
  MaybeSym max(const Sym& a, const Sym& b);
  MaybeSym min(const Sym& a, const Sym& b);
  MaybeSym product(const std::vector<MaybeSym>& all);
  /// Of two extents that broadcast to one; nullopt where it takes the running module to tell.
  MaybeSym broadcast(const Sym& a, const Sym& b);
  /// Exact quotient when b is one term that divides every term of a.
  MaybeSym divide_exact(const Sym& a, const Sym& b);

  /// Atoms of the polynomial replaced; those within another atom stay.
  MaybeSym replaced(const Sym& a, const std::unordered_map<AtomId, Sym>& by);

  // ---- truths: 1 or 0
  MaybeSym equal(const Sym& a, const Sym& b);
  MaybeSym less(const Sym& a, const Sym& b);
  MaybeSym negation(const Sym& truth) { return add(Sym(1), truth, -1); }
  MaybeSym either(const Sym& a, const Sym& b);
  /// truth ? a : b
  MaybeSym choose(const Sym& truth, const Sym& a, const Sym& b);
  /// Some truth that the expression is made of, and the expression where it holds and where not.
  struct Cases {
    AtomId truth;
    MaybeSym where, elsewhere;
  };
  std::optional<Cases> cases(const Sym& a);

  // ---- what an expression may be
  /// True if no atom can make it negative: dims are >= 0.
  bool never_negative(const Sym& a);
  /// From the least to the greatest value, if an axis is at most kMaxExtent long; nullopt: it
  /// depends on data. Counts: a product of extents, being a count of elements, is no longer either.
  std::optional<Interval> interval(const Sym& a, bool counts = false) const;
  /// Whether an integer tensor of this many bits holds it, so that its arithmetic does not wrap.
  bool fits(const Sym& a, int bits) const;

  const Atom& atom(AtomId a) const { return atoms_[a]; }
  /// Unique text of an expression; parse() gives the expression of a text made here.
  std::string text(const Sym& a);
  MaybeSym parse(const std::string& text) const;

  // Kept for real.cpp.
  std::unordered_map<std::string, MaybeSym> roundings;
  size_t trials = 0;

 private:
  Sym intern(const std::string& key, Atom atom);
  MaybeSym compound(AtomKind kind, const char* name, const Sym& a, const Sym& b);
  /// name(a, b) where the terms of `difference` that are negative, made positive, are a.
  MaybeSym relation(AtomKind kind, const char* name, const Sym& difference);
  bool is_bounded_by(AtomKind kind, const Sym& a, const Sym& b) const;
  MaybeSym min_with(Sym a, int64_t c);
  bool fits_into(const Sym& a, const Sym& b);
  bool is_truth(AtomId a) const {
    return atoms_[a].kind == AtomKind::kEqual || atoms_[a].kind == AtomKind::kLess;
  }
  std::optional<Interval> interval(const Atom& a, bool counts) const;
  std::vector<Atom> atoms_;
  std::unordered_map<std::string, AtomId> by_key_;
  std::unordered_map<std::string, Sym> by_text_;
  std::unordered_map<std::string, int> names_;
};

}  // namespace onnx2fx::conversion

#endif
