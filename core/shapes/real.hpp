// Elements of small float tensors: sizes on their way through float arithmetic. What is said of one
// is exactly what float32 (float64) arithmetic gives when the module runs, or nothing is said.
//
// An element that is a whole number is its Sym, if the type holds it exactly. Any other is an atom
// of kind kReal: a literal, or an expression in sizes and literals. Floor, Ceil, Round and a cast
// to integers make sizes of it again: by a formula in integers (17 n // 10 for a scale of 1.7),
// else by the same arithmetic on Python floats, which are float64. Where the type is float32 either
// has to give the same number for every size: that is tried out, up to kMaxExtent.
#ifndef ONNX2FX_CORE_SHAPES_REAL_HPP_
#define ONNX2FX_CORE_SHAPES_REAL_HPP_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/shapes/sym.hpp"

namespace onnx2fx::conversion {

struct Real {
  enum class Form : uint8_t {
    kLiteral,
    kSize,  ///< `size`, as a float
    kAdd,
    kSub,
    kMul,
    kDiv,
    kRoot,    ///< of `a`
    kRounded  ///< `a`, to the type
  } form;
  double literal = 0;
  Sym size;
  std::shared_ptr<const Real> a, b;
  int32_t dtype = 0;  ///< of the result
};
using RealPtr = std::shared_ptr<const Real>;

enum class Rounding : uint8_t { kFloor, kCeil, kTrunc, kRound };

/// float32 or float64: the types whose elements are tracked.
bool is_tracked_float(int32_t dtype);
/// nullopt: infinite or no number.
MaybeSym real_literal(SymTable& syms, double x);
/// The number, if it is a literal.
std::optional<double> literal_of(const SymTable& syms, const Sym& x);
/// A Sym, and no atom of kind kReal.
bool is_whole(const SymTable& syms, const Sym& x);
/// A whole number as an element of a type: itself, if the type holds it exactly.
MaybeSym real_of(SymTable& syms, const Sym& whole, int32_t dtype);
/// form: kAdd to kDiv.
MaybeSym real_arithmetic(SymTable& syms, Real::Form form, const Sym& a, const Sym& b,
                         int32_t dtype);
MaybeSym real_cast(SymTable& syms, const Sym& x, int32_t dtype);
MaybeSym real_root(SymTable& syms, const Sym& x, int32_t dtype);
/// A whole number.
MaybeSym rounded(SymTable& syms, const Sym& x, Rounding how);
/// Truths, as SymTable's.
MaybeSym real_equal(SymTable& syms, const Sym& a, const Sym& b);
MaybeSym real_less(SymTable& syms, const Sym& a, const Sym& b);

// ---- of expressions

/// (p x + c) / q, rounded down, or up; q is positive.
struct Line {
  int64_t p = 0, c = 0, q = 1;
  bool up = false;
  int64_t operator()(int64_t x) const;
};
/// What the expression is at the sizes of one variable.
struct Trial {
  Sym variable;
  int64_t first = 0;            ///< the least size
  std::vector<double> exact;    ///< as the types of the operations round
  std::vector<double> float64;  ///< as Python floats have it
};
/// nullopt: there are several variables, too many sizes, or too much was tried already.
std::optional<Trial> tried(SymTable& syms, const Real& x);
/// Both at the sizes of one variable.
std::optional<std::pair<Trial, Trial>> tried(SymTable& syms, const Real& x, const Real& y);
/// The line that the expression follows if literals are the fractions that they stand for.
std::optional<Line> line_of(SymTable& syms, const Real& x);
double computed(Real::Form form, double a, double b, int32_t dtype);
double computed(Rounding how, double x);
std::vector<Sym> sizes_in(const Real& x);
/// Unique.
std::string text_of(SymTable& syms, const Real& x);

}  // namespace onnx2fx::conversion

#endif
