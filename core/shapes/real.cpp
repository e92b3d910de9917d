#include "core/shapes/real.hpp"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace onnx2fx::conversion {
namespace {

using Form = Real::Form;
using onnx::TensorProto;

constexpr size_t kMaxText = 300;
/// From here on float64 does not hold every whole number.
constexpr double kMaxWhole = 0x1p53;

RealPtr real_in(const SymTable& syms, const Sym& x) {
  const auto atom = x.as_atom();
  return atom && syms.atom(*atom).kind == AtomKind::kReal ? syms.atom(*atom).real : nullptr;
}

RealPtr node(Form form, RealPtr a, RealPtr b, int32_t dtype) {
  return std::make_shared<const Real>(Real{form, 0, {}, std::move(a), std::move(b), dtype});
}
RealPtr literal_node(double x) {
  return std::make_shared<const Real>(Real{Form::kLiteral, x, {}, nullptr, nullptr, 0});
}
RealPtr node_of(const SymTable& syms, const Sym& x) {
  if (RealPtr known = real_in(syms, x)) return known;
  if (const auto literal = literal_of(syms, x)) return literal_node(*literal);
  return std::make_shared<const Real>(Real{Form::kSize, 0, x, nullptr, nullptr, 0});
}

MaybeSym as_sym(SymTable& syms, const Sym& variable, const Line& line) {
  const MaybeSym scaled = syms.mul(variable, Sym(line.p));
  const MaybeSym n = scaled ? syms.add(*scaled, Sym(line.c)) : MaybeSym();
  if (!n) return {};
  return line.up ? syms.ceildiv(*n, Sym(line.q)) : syms.floordiv(*n, Sym(line.q));
}

// ---- back to whole numbers

/// Half to even is half up, or half down, where no tie comes up that tells them apart.
std::vector<Line> lines(const Line& l, Rounding how) {
  Line down = l, up = l;
  up.up = true;
  switch (how) {
    case Rounding::kFloor:
      return {down};
    case Rounding::kCeil:
      return {up};
    case Rounding::kTrunc:
      return {down, up};
    default:
      return {{2 * l.p, 2 * l.c + l.q, 2 * l.q, false}, {2 * l.p, 2 * l.c - l.q, 2 * l.q, true}};
  }
}

bool follows(const Trial& t, Rounding how, const Line& line) {
  for (size_t i = 0; i < t.exact.size(); i++)
    if (computed(how, t.exact[i]) != static_cast<double>(line(t.first + static_cast<int64_t>(i))))
      return false;
  return true;
}

bool follows_half_to_even(const Trial& t, const Line& line) {
  const Line double_line{2 * line.p, 2 * line.c, line.q};
  for (size_t i = 0; i < t.exact.size(); i++) {
    const int64_t x = t.first + static_cast<int64_t>(i), twice = double_line(x);
    const bool tie = twice % 2 != 0 && (double_line.p * x + double_line.c) % line.q == 0;
    const int64_t up = (twice + 1) / 2 - ((twice + 1) % 2 < 0);
    if (computed(Rounding::kRound, t.exact[i]) != static_cast<double>(up - (tie && up % 2 != 0)))
      return false;
  }
  return true;
}

// Half up, less 1 where it was half and became odd.
MaybeSym half_to_even(SymTable& syms, const Sym& variable, const Line& line) {
  const MaybeSym twice = as_sym(syms, variable, {2 * line.p, 2 * line.c + line.q, 1});
  if (!twice) return {};
  const MaybeSym up = syms.floordiv(*twice, Sym(2 * line.q)),
                 rest = syms.mod(*twice, Sym(2 * line.q));
  const MaybeSym odd = up ? syms.mod(*up, Sym(2)) : up,
                 inexact = rest ? syms.min(Sym(1), *rest) : rest;
  const MaybeSym tie = inexact ? syms.add(Sym(1), *inexact, -1) : inexact;
  const MaybeSym less = tie && odd ? syms.mul(*tie, *odd) : MaybeSym();
  return less ? syms.add(*up, *less, -1) : less;
}

/// An expression in Python floats, and how it is made whole.
struct FloatFormula {
  RealPtr x;
  Rounding how;
  double shift;  ///< added before
};
std::vector<FloatFormula> float_formulas(const RealPtr& x, Rounding how) {
  if (how != Rounding::kRound) return {{x, how, 0}};
  const auto shifted = [&](Form form) {
    return node(form, x, literal_node(0.5), TensorProto::DOUBLE);
  };
  return {{shifted(Form::kAdd), Rounding::kFloor, 0.5},
          {shifted(Form::kSub), Rounding::kCeil, -0.5}};
}

bool follows(const Trial& t, Rounding how, const FloatFormula& f) {
  for (size_t i = 0; i < t.exact.size(); i++)
    if (computed(how, t.exact[i]) != computed(f.how, t.float64[i] + f.shift)) return false;
  return true;
}

Sym rounding_atom(SymTable& syms, const FloatFormula& f, const Interval& range) {
  static constexpr const char* kName[] = {"floor", "ceil", "trunc"};
  const std::string name = kName[static_cast<int>(f.how)];
  return syms.rounding(f.x, static_cast<int64_t>(f.how), range,
                       name + "(" + text_of(syms, *f.x) + ")");
}

MaybeSym rounded_by_trial(SymTable& syms, const RealPtr& x, Rounding how, const Trial& t) {
  if (const auto line = line_of(syms, *x)) {
    for (const Line& l : lines(*line, how))
      if (follows(t, how, l)) return as_sym(syms, t.variable, l);
    if (how == Rounding::kRound && follows_half_to_even(t, *line))
      return half_to_even(syms, t.variable, *line);
  }
  const auto [low, high] = std::minmax_element(t.exact.begin(), t.exact.end());
  if (!(*low > -kMaxWhole && *high < kMaxWhole)) return {};
  const Interval range{static_cast<int64_t>(computed(how, *low)),
                       static_cast<int64_t>(computed(how, *high))};
  for (const FloatFormula& f : float_formulas(x, how))
    if (follows(t, how, f)) return rounding_atom(syms, f, range);
  return {};
}

bool is_float64(const Real& x) {
  const bool own =
      x.form == Form::kLiteral || x.form == Form::kSize || x.dtype == TensorProto::DOUBLE;
  return own && (!x.a || is_float64(*x.a)) && (!x.b || is_float64(*x.b));
}

bool never_negative(SymTable& syms, const Real& x) {
  if (x.form == Form::kLiteral) return x.literal >= 0;
  if (x.form == Form::kSize) return syms.never_negative(x.size);
  if (x.form == Form::kRoot) return true;
  return x.form != Form::kSub && never_negative(syms, *x.a) && (!x.b || never_negative(syms, *x.b));
}

/// floor(a / b) and ceil(a / b) of sizes: they come out right whatever the quotient is rounded to,
/// if the type has two bits more than a.
MaybeSym rounded_quotient(SymTable& syms, const Real& x, Rounding how) {
  if (x.form != Form::kDiv || x.a->form == Form::kDiv || how == Rounding::kRound) return {};
  const auto size = [](const Real& r) -> MaybeSym {
    if (r.form == Form::kSize) return r.size;
    const bool whole = r.form == Form::kLiteral && r.literal == std::trunc(r.literal) &&
                       std::abs(r.literal) < 0x1p53;
    return whole ? MaybeSym(Sym(static_cast<int64_t>(r.literal))) : MaybeSym();
  };
  const MaybeSym a = size(*x.a), b = size(*x.b);
  if (!a || !b || !syms.never_negative(*a) || !syms.never_negative(*b)) return {};
  const auto range = syms.interval(*a);
  const int64_t most = int64_t{1} << (x.dtype == TensorProto::FLOAT ? 22 : 51);
  if (!range || range->high > most) return {};
  return how == Rounding::kCeil ? syms.ceildiv(*a, *b) : syms.floordiv(*a, *b);
}

// ---- making them

MaybeSym made(SymTable& syms, const RealPtr& x) {
  if (const auto line = line_of(syms, *x); line && line->q == 1)
    if (const auto t = tried(syms, *x))
      if (follows(*t, Rounding::kFloor, *line) && follows(*t, Rounding::kCeil, *line))
        return as_sym(syms, t->variable, *line);
  std::string text = "real(" + text_of(syms, *x) + ")";
  return text.size() < kMaxText ? MaybeSym(syms.real(x, text)) : MaybeSym();
}

// A size divided by itself is taken to be 1: an axis of no elements has no scale.
MaybeSym whole_arithmetic(SymTable& syms, Form form, const Sym& a, const Sym& b, int32_t dtype) {
  const MaybeSym r = form == Form::kAdd   ? syms.add(a, b)
                     : form == Form::kSub ? syms.add(a, b, -1)
                     : form == Form::kMul ? syms.mul(a, b)
                                          : syms.divide_exact(a, b);
  return r ? real_of(syms, *r, dtype) : MaybeSym();
}

// ---- comparing them

/// The truth as one about the variable: it holds below some size, or from it on.
MaybeSym threshold(SymTable& syms, const Sym& variable, int64_t first,
                   const std::vector<bool>& holds) {
  const auto other = std::find(holds.begin(), holds.end(), !holds[0]);
  if (other == holds.end() || std::find(other, holds.end(), holds[0]) != holds.end()) return {};
  const MaybeSym below = syms.less(variable, Sym(first + (other - holds.begin())));
  return holds[0] || !below ? below : syms.negation(*below);
}

MaybeSym less_by_trial(SymTable& syms, const Sym& a, const Sym& b) {
  const auto both = tried(syms, *node_of(syms, a), *node_of(syms, b));
  if (!both) return {};
  std::vector<bool> holds;
  for (size_t i = 0; i < both->first.exact.size(); i++)
    holds.push_back(both->first.exact[i] < both->second.exact[i]);
  return threshold(syms, both->first.variable, both->first.first, holds);
}

}  // namespace

bool is_tracked_float(int32_t dtype) {
  return dtype == TensorProto::FLOAT || dtype == TensorProto::DOUBLE;
}

MaybeSym real_literal(SymTable& syms, double x) {
  if (!std::isfinite(x)) return {};
  if (x == std::trunc(x) && std::abs(x) < kMaxWhole) return Sym(static_cast<int64_t>(x));
  const RealPtr r = literal_node(x);
  return syms.real(r, "real(" + text_of(syms, *r) + ")");
}

std::optional<double> literal_of(const SymTable& syms, const Sym& x) {
  if (x.is_literal()) return static_cast<double>(x.literal());
  const RealPtr r = real_in(syms, x);
  return r && r->form == Form::kLiteral ? std::optional(r->literal) : std::nullopt;
}

bool is_whole(const SymTable& syms, const Sym& x) { return !real_in(syms, x); }

MaybeSym real_of(SymTable& syms, const Sym& whole, int32_t dtype) {
  const int64_t most = int64_t{1} << (dtype == TensorProto::FLOAT ? 24 : 53);
  if (whole.is_literal())
    return real_literal(syms,
                        computed(Form::kRounded, static_cast<double>(whole.literal()), 0, dtype));
  const auto range = syms.interval(whole);
  return range && range->low >= -most && range->high <= most ? MaybeSym(whole) : MaybeSym();
}

MaybeSym real_arithmetic(SymTable& syms, Form form, const Sym& a, const Sym& b, int32_t dtype) {
  const auto x = literal_of(syms, a), y = literal_of(syms, b);
  if (form == Form::kDiv && y == 0.0) return {};
  if (x && y) return real_literal(syms, computed(form, *x, *y, dtype));
  if (is_whole(syms, a) && is_whole(syms, b)) {
    if (MaybeSym whole = whole_arithmetic(syms, form, a, b, dtype)) return whole;
    if (form != Form::kDiv) return {};  // rounded
  }
  return made(syms, node(form, node_of(syms, a), node_of(syms, b), dtype));
}

MaybeSym real_cast(SymTable& syms, const Sym& x, int32_t dtype) {
  if (const auto literal = literal_of(syms, x))
    return real_literal(syms, computed(Form::kRounded, *literal, 0, dtype));
  if (is_whole(syms, x)) return real_of(syms, x, dtype);
  if (dtype == TensorProto::DOUBLE) return x;
  return made(syms, node(Form::kRounded, real_in(syms, x), nullptr, dtype));
}

MaybeSym real_root(SymTable& syms, const Sym& x, int32_t dtype) {
  if (const auto literal = literal_of(syms, x))
    return real_literal(syms, computed(Form::kRoot, *literal, 0, dtype));
  const RealPtr of = node_of(syms, x);
  return never_negative(syms, *of) ? made(syms, node(Form::kRoot, of, nullptr, dtype)) : MaybeSym();
}

MaybeSym rounded(SymTable& syms, const Sym& x, Rounding how) {
  const RealPtr real = real_in(syms, x);
  if (!real) return x;
  if (real->form == Form::kLiteral) return real_literal(syms, computed(how, real->literal));
  const std::string key = std::to_string(static_cast<int>(how)) + text_of(syms, *real);
  if (const auto known = syms.roundings.find(key); known != syms.roundings.end())
    return known->second;
  MaybeSym r = rounded_quotient(syms, *real, how);
  if (!r) {
    if (const auto t = tried(syms, *real)) {
      r = rounded_by_trial(syms, real, how, *t);
    } else if (is_float64(*real) && how != Rounding::kRound) {
      const int64_t most = static_cast<int64_t>(kMaxWhole);
      r = rounding_atom(syms, {real, how, 0}, {never_negative(syms, *real) ? 0 : -most, most});
    }
  }
  return syms.roundings[key] = r;
}

MaybeSym real_equal(SymTable& syms, const Sym& a, const Sym& b) {
  const auto x = literal_of(syms, a), y = literal_of(syms, b);
  if (x && y) return Sym(*x == *y);
  const bool whole = is_whole(syms, a), as_well = is_whole(syms, b);
  if (whole && as_well) return syms.equal(a, b);
  if ((whole && y) || (as_well && x)) return Sym(0);
  return {};
}

// A whole number is less than one that is none if it is less than the next whole one.
MaybeSym real_less(SymTable& syms, const Sym& a, const Sym& b) {
  const auto x = literal_of(syms, a), y = literal_of(syms, b);
  if (x && y) return Sym(*x < *y);
  const auto plain = [&](const Sym& s) { return is_whole(syms, s) || literal_of(syms, s); };
  if (!plain(a) || !plain(b)) return less_by_trial(syms, a, b);
  const MaybeSym left = rounded(syms, a, Rounding::kFloor),
                 right = rounded(syms, b, Rounding::kCeil);
  return left && right ? syms.less(*left, *right) : MaybeSym();
}

}  // namespace onnx2fx::conversion
