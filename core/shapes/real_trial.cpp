// Expressions in floats at the sizes that come up, and the lines that they follow.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <utility>

#include "core/shapes/real.hpp"

namespace onnx2fx::conversion {
namespace {

constexpr int64_t kMaxNumber = int64_t{1} << 31;
constexpr int64_t kMaxDenominator = 4096;
/// Sizes of one expression, and expressions of one conversion, that are tried.
constexpr int64_t kMaxSizes = 2 * kMaxExtent;
constexpr size_t kMaxTrials = 1024;

double in_type(double x, int32_t dtype) {
  return dtype == onnx::TensorProto::FLOAT ? static_cast<double>(static_cast<float>(x)) : x;
}

// ---- one variable

/// A size as p x + c, where x is what varies in it.
struct Affine {
  Sym variable;
  int64_t p = 0, c = 0;
};

std::optional<Affine> affine(SymTable& syms, const Sym& size) {
  Affine r;
  for (const Sym::Term& t : size.terms()) {
    if (t.factors.empty())
      r.c = t.coefficient;
    else
      r.p = std::gcd(r.p, t.coefficient);
  }
  const MaybeSym rest = syms.add(size, Sym(r.c), -1);
  const MaybeSym variable = rest ? syms.divide_exact(*rest, Sym(r.p)) : MaybeSym();
  if (!variable || std::max(std::abs(r.p), std::abs(r.c)) >= kMaxNumber) return {};
  r.variable = *variable;
  return r;
}

/// False: there is a second one.
bool find_variable(SymTable& syms, const Real& x, MaybeSym* variable) {
  if (x.form == Real::Form::kSize) {
    const auto size = affine(syms, x.size);
    if (!size || (*variable && !(**variable == size->variable))) return false;
    *variable = size->variable;
  }
  return (!x.a || find_variable(syms, *x.a, variable)) &&
         (!x.b || find_variable(syms, *x.b, variable));
}

std::vector<double> evaluated(SymTable& syms, const Real& x, const Interval& range, bool float64) {
  const auto n = static_cast<size_t>(range.high - range.low + 1);
  if (x.form == Real::Form::kLiteral) return std::vector<double>(n, x.literal);
  if (x.form == Real::Form::kSize) {
    const Affine size = *affine(syms, x.size);
    std::vector<double> r(n);
    for (size_t i = 0; i < n; i++)
      r[i] = static_cast<double>(size.p * (range.low + static_cast<int64_t>(i)) + size.c);
    return r;
  }
  const int32_t dtype = float64 ? static_cast<int32_t>(onnx::TensorProto::DOUBLE) : x.dtype;
  std::vector<double> r = evaluated(syms, *x.a, range, float64);
  const std::vector<double> second =
      x.b ? evaluated(syms, *x.b, range, float64) : std::vector<double>(n);
  for (size_t i = 0; i < n; i++) r[i] = computed(x.form, r[i], second[i], dtype);
  return r;
}

std::optional<Interval> range_of(SymTable& syms, const MaybeSym& variable) {
  const auto range = variable ? syms.interval(*variable) : std::nullopt;
  if (!range || range->high - range->low >= kMaxSizes) return {};
  return syms.trials++ < kMaxTrials ? range : std::nullopt;
}

Trial trial(SymTable& syms, const Real& x, const Sym& variable, const Interval& range) {
  return {variable, range.low, evaluated(syms, x, range, false), evaluated(syms, x, range, true)};
}

// ---- lines

/// The simplest fraction that is x in single precision: what a person wrote.
std::optional<Line> fraction(double x) {
  if (std::abs(x) >= static_cast<double>(kMaxNumber)) return {};
  for (int64_t q = 1; q <= kMaxDenominator; q++) {
    const double p = std::round(x * static_cast<double>(q));
    if (static_cast<float>(p / static_cast<double>(q)) == static_cast<float>(x))
      return Line{0, static_cast<int64_t>(p), q};
  }
  return {};
}

std::optional<Line> reduced(__int128 p, __int128 c, __int128 q) {
  if (q < 0) p = -p, c = -c, q = -q;
  constexpr __int128 kMost = static_cast<__int128>(kMaxNumber) * kMaxNumber;
  const auto small = [&](__int128 x) { return -kMost < x && x < kMost; };
  if (q == 0 || !small(p) || !small(c) || !small(q)) return {};
  Line r{static_cast<int64_t>(p), static_cast<int64_t>(c), static_cast<int64_t>(q)};
  const int64_t common = std::gcd(std::gcd(r.p, r.c), r.q);
  r = {r.p / common, r.c / common, r.q / common};
  if (std::max({std::abs(r.p), std::abs(r.c), r.q}) >= kMaxNumber) return {};
  return r;
}

std::optional<Line> combined(Real::Form form, const Line& a, const Line& b) {
  using Form = Real::Form;
  const __int128 p = a.p, c = a.c, q = a.q;
  if (form == Form::kAdd) return reduced(p * b.q + b.p * q, c * b.q + b.c * q, q * b.q);
  if (form == Form::kSub) return reduced(p * b.q - b.p * q, c * b.q - b.c * q, q * b.q);
  if (form == Form::kDiv && b.p == 0) return reduced(p * b.q, c * b.q, q * b.c);
  if (form == Form::kMul && b.p == 0) return reduced(p * b.c, c * b.c, q * b.q);
  if (form == Form::kMul && a.p == 0) return reduced(b.p * c, b.c * c, q * b.q);
  return {};
}

}  // namespace

double computed(Real::Form form, double a, double b, int32_t dtype) {
  // float64 has more than twice the bits of float32, and two more: to round to it first changes
  // nothing.
  switch (form) {
    case Real::Form::kAdd:
      return in_type(a + b, dtype);
    case Real::Form::kSub:
      return in_type(a - b, dtype);
    case Real::Form::kMul:
      return in_type(a * b, dtype);
    case Real::Form::kDiv:
      return in_type(a / b, dtype);
    case Real::Form::kRoot:
      return in_type(std::sqrt(a), dtype);
    default:
      return in_type(a, dtype);
  }
}

double computed(Rounding how, double x) {
  switch (how) {
    case Rounding::kFloor:
      return std::floor(x);
    case Rounding::kCeil:
      return std::ceil(x);
    case Rounding::kTrunc:
      return std::trunc(x);
    default:
      return std::nearbyint(x);
  }
}

int64_t Line::operator()(int64_t x) const {
  const int64_t n = up ? -(p * x + c) : p * x + c;
  const int64_t floor = n / q - (n % q < 0);
  return up ? -floor : floor;
}

std::optional<Trial> tried(SymTable& syms, const Real& x) {
  MaybeSym variable;
  if (!find_variable(syms, x, &variable)) return {};
  const auto range = range_of(syms, variable);
  return range ? std::optional(trial(syms, x, *variable, *range)) : std::nullopt;
}

std::optional<std::pair<Trial, Trial>> tried(SymTable& syms, const Real& x, const Real& y) {
  MaybeSym variable;
  if (!find_variable(syms, x, &variable) || !find_variable(syms, y, &variable)) return {};
  const auto range = range_of(syms, variable);
  if (!range) return {};
  return std::pair(trial(syms, x, *variable, *range), trial(syms, y, *variable, *range));
}

std::optional<Line> line_of(SymTable& syms, const Real& x) {
  if (x.form == Real::Form::kLiteral) return fraction(x.literal);
  if (x.form == Real::Form::kSize) {
    const auto size = affine(syms, x.size);
    return size ? std::optional(Line{size->p, size->c, 1}) : std::nullopt;
  }
  const auto a = line_of(syms, *x.a);
  if (!a || x.form == Real::Form::kRoot) return {};
  if (x.form == Real::Form::kRounded) return a;
  const auto b = line_of(syms, *x.b);
  return b ? combined(x.form, *a, *b) : std::nullopt;
}

std::vector<Sym> sizes_in(const Real& x) {
  std::vector<Sym> r;
  if (x.form == Real::Form::kSize) r.push_back(x.size);
  for (const RealPtr& part : {x.a, x.b}) {
    if (!part) continue;
    const std::vector<Sym> more = sizes_in(*part);
    r.insert(r.end(), more.begin(), more.end());
  }
  return r;
}

std::string text_of(SymTable& syms, const Real& x) {
  static constexpr const char* kName[] = {"", "size", "add", "sub", "mul", "div", "root", "round"};
  if (x.form == Real::Form::kLiteral) {
    char text[64];
    std::snprintf(text, sizeof text, "%a", x.literal);
    return text;
  }
  std::string s = kName[static_cast<int>(x.form)] + std::to_string(x.dtype) + "(";
  if (x.form == Real::Form::kSize) s += syms.text(x.size);
  if (x.a) s += text_of(syms, *x.a);
  if (x.b) s += ", " + text_of(syms, *x.b);
  return s + ")";
}

}  // namespace onnx2fx::conversion
