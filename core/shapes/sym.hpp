// Symbolic integers: sizes that are known only when the module runs. A Sym is a polynomial with
// int64 coefficients over atoms; an atom is the extent of an axis of a value, an element of an
// integer tensor, or floordiv, mod, max, min of two Syms. Atoms are interned, so equal expressions
// compare equal.
#ifndef ONNX2FX_CORE_SHAPES_SYM_HPP_
#define ONNX2FX_CORE_SHAPES_SYM_HPP_

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace onnx2fx::conversion {

using AtomId = uint32_t;

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
  kMin
};
struct Atom {
  AtomKind kind;
  uint64_t value = 0;
  int64_t index = 0;
  Sym left, right;
  std::string name;  ///< unique text
};

/// Makes and interns atoms; arithmetic folds what it can. nullopt: overflow or too large an
/// expression, treated as unknown.
class SymTable {
 public:
  Sym dim(uint64_t value, int64_t axis, const std::string& name_hint = {});
  Sym element(uint64_t value, int64_t index);
  Sym number(uint64_t value);
  MaybeSym add(const Sym& a, const Sym& b, int64_t sign = 1);
  MaybeSym mul(const Sym& a, const Sym& b);
  /// Python's //; nullopt for a literal 0 divisor.
  MaybeSym floordiv(const Sym& a, const Sym& b);
  MaybeSym mod(const Sym& a, const Sym& b);
  MaybeSym max(const Sym& a, const Sym& b);
  MaybeSym min(const Sym& a, const Sym& b);
  MaybeSym product(const std::vector<MaybeSym>& all);
  /// Exact quotient when b is one term that divides every term of a.
  MaybeSym divide_exact(const Sym& a, const Sym& b);
  /// True if no atom can make it negative: dims are >= 0.
  bool never_negative(const Sym& a) const;

  const Atom& atom(AtomId a) const { return atoms_[a]; }
  /// Unique text of an expression; parse() gives the expression of a text made here.
  std::string text(const Sym& a);
  MaybeSym parse(const std::string& text) const;

 private:
  Sym intern(const std::string& key, Atom atom);
  MaybeSym compound(AtomKind kind, const char* name, const Sym& a, const Sym& b);
  std::vector<Atom> atoms_;
  std::unordered_map<std::string, AtomId> by_key_;
  std::unordered_map<std::string, Sym> by_text_;
  std::unordered_map<std::string, int> names_;
};

}  // namespace onnx2fx::conversion

#endif
