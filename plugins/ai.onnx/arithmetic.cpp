// Arithmetic, element by element: sums, products, powers, roundings, trigonometry; and what runs
// along an axis of one tensor: CumSum, CumProd, Det.
#include "plugins/ai.onnx/elementwise.hpp"
#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/dtype.hpp"
#include "plugins/lowering/literals.hpp"

using namespace onnx2fx;

namespace {

// ---- two operands

// Targets for which uint64 may be computed in int64: the low 64 bits are the same.
void wrapping(Node& n, const char* target) {
  const Value a = n.input(0), b = second_operand(n);
  const int32_t dtype = dtype_if_known(n, a);
  const Value y = n.call(target, {widened(n, a, dtype), widened(n, b, dtype)});
  n.output(narrowed(n, y, dtype));
}

// Integers are divided towards 0.
void div(Node& n) {
  const Value a = n.input(0), b = second_operand(n);
  const int32_t dtype = n.dtype(a);
  if (is_floating(dtype)) return n.output(n.call("aten::div.Tensor", {a, b}));
  const Value x = widened(n, a, dtype), y = widened(n, b, dtype);
  const Value q = dtype == kUint64
                      ? divided_unsigned(n, x, y)
                      : n.call("aten::div.Tensor_mode", {x, y}, {{"rounding_mode", "trunc"}});
  n.output(narrowed(n, q, dtype));
}

// fmod has the sign of the dividend, ATen's remainder that of the divisor.
void mod(Node& n) {
  const Value a = n.input(0), b = n.input(1);
  const char* target = n.flag("fmod") ? "aten::fmod.Tensor" : "aten::remainder.Tensor";
  const int32_t dtype = n.dtype(a);
  const Value x = widened(n, a, dtype), y = widened(n, b, dtype);
  if (dtype != kUint64) return n.output(narrowed(n, n.call(target, {x, y}), dtype));
  const Value whole = n.call("aten::mul.Tensor", {divided_unsigned(n, x, y), y});
  n.output(narrowed(n, n.call("aten::sub.Tensor", {x, whole}), dtype));
}

// A literal exponent that broadcasts to x without a say in the result's rank.
std::optional<Arg> literal_exponent(Node& n, Value exponent) {
  if (!n.rank_known(exponent) || n.rank(exponent) != 0) return std::nullopt;
  return literal(n, exponent);
}

// The result has the type of the base.
void pow(Node& n) {
  const Value x = n.input(0), exponent = second_operand(n);
  const int32_t base = n.dtype(x), power = n.dtype(n.input(1));
  if (is_floating(base))
    if (const auto e = literal_exponent(n, exponent))
      return n.output(n.call("aten::pow.Tensor_Scalar", {x, *e}));
  // Integers to real powers: numpy computes these in double
  const bool real = is_integer(base) && is_floating(power);
  const Value e = real ? n.cast(exponent, kDouble) : widened(n, exponent, power);
  const Value y = n.call("aten::pow.Tensor_Tensor", {real ? n.cast(x, kDouble) : x, e});
  const bool is_base = base == power || (is_floating(base) && is_integer(power));
  n.output(is_base ? y : to_dtype(n, y, base));
}

// ---- any number of operands

Value total(Node& n) {
  n.ignore("consumed_inputs");
  Value y = n.input(0);
  for (size_t i = 1; i < n.n_inputs(); i++) y = n.call("aten::add.Tensor", {y, n.input(i)});
  return y;
}

void sum(Node& n) { n.output(total(n)); }

void mean(Node& n) {
  const Value y = total(n);
  const auto count = static_cast<int64_t>(n.n_inputs());
  n.output(count == 1 ? y : n.call("aten::div.Scalar", {y, count}));
}

void extreme(Node& n, const char* target) {
  n.ignore("consumed_inputs");
  const Value first = n.input(0);
  if (n.n_inputs() == 1) return n.output(first);
  const int32_t dtype = dtype_if_known(n, first);
  Value y = ordered(n, first, dtype);
  for (size_t i = 1; i < n.n_inputs(); i++) y = n.call(target, {y, ordered(n, n.input(i), dtype)});
  n.output(unordered(n, y, dtype));
}

// ---- one operand

void abs(Node& n) {
  n.ignore("consumed_inputs");
  const Value x = n.input(0);
  n.output(is_unsigned(dtype_if_known(n, x)) ? x : n.call("aten::abs", {x}));
}

void sign(Node& n) {
  const Value x = n.input(0);
  const int32_t dtype = dtype_if_known(n, x);
  if (!is_unsigned(dtype)) return n.output(n.call("aten::sign", {x}));
  n.output(to_dtype(n, n.call("aten::ne.Scalar", {x, 0}), dtype));
}

// Opset 9 has it for integers too.
void erf(Node& n) {
  const Value x = n.input(0);
  const int32_t dtype = dtype_if_known(n, x);
  if (!is_integer(dtype)) return n.output(n.call("aten::erf", {x}));
  n.output(to_dtype(n, n.call("aten::erf", {to_dtype(n, x, kFloat)}), dtype));
}

void det(Node& n) {
  const Value x = n.input(0);
  const int32_t dtype = n.dtype(x);
  const bool native = dtype == kFloat || dtype == kDouble;
  const Value y = n.call("aten::linalg_det", {native ? x : n.cast(x, kFloat)});
  n.output(native ? y : to_dtype(n, y, dtype));
}

// ---- running sums and products

void cumulative(Node& n, const char* target) {
  Value x = n.input(0);
  const Int axis = n.integer_of(n.input(1));
  const int32_t dtype = n.dtype(x);
  const bool reverse = n.flag("reverse"), exclusive = n.flag("exclusive");
  x = widened(n, x, dtype);
  if (reverse) x = n.call("aten::flip", {x, Ints{axis}});
  Value y = n.call(target, {x, axis}, kept(computed_in(dtype)));
  if (exclusive) {  // all but the last, after the neutral element
    const char* neutral =
        std::string_view(target) == "aten::cumprod" ? "aten::ones_like" : "aten::zeros_like";
    const Value first = n.call(neutral, {n.call("aten::slice.Tensor", {x, axis, 0, 1})});
    y = n.call("aten::cat", {Values{first, n.call("aten::slice.Tensor", {y, axis, 0, -1})}, axis});
  }
  if (reverse) y = n.call("aten::flip", {y, Ints{axis}});
  n.output(narrowed(n, y, dtype));
}

constexpr o2fx_op kOps[] = {
    op("Abs", 1, lower<abs>),
    op_to("Acos", 7, lower_to<unary>, "aten::acos"),
    op_to("Acosh", 9, lower_to<unary>, "aten::acosh"),
    op_to("Add", 1, lower_to<wrapping>, "aten::add.Tensor"),
    op_to("Asin", 7, lower_to<unary>, "aten::asin"),
    op_to("Asinh", 9, lower_to<unary>, "aten::asinh"),
    op_to("Atan", 7, lower_to<unary>, "aten::atan"),
    op_to("Atanh", 9, lower_to<unary>, "aten::atanh"),
    op_to("Ceil", 1, lower_to<unary>, "aten::ceil"),
    op_to("Cos", 7, lower_to<unary>, "aten::cos"),
    op_to("Cosh", 9, lower_to<unary>, "aten::cosh"),
    op_to("CumProd", 26, lower_to<cumulative>, "aten::cumprod"),
    op_to("CumSum", 11, lower_to<cumulative>, "aten::cumsum"),
    op("Det", 11, lower<det>),
    op("Div", 1, lower<div>),
    op("Erf", 9, lower<erf>),
    op_to("Exp", 1, lower_to<unary>, "aten::exp"),
    op_to("Floor", 1, lower_to<unary>, "aten::floor"),
    op_to("Log", 1, lower_to<unary>, "aten::log"),
    op_to("Max", 1, lower_to<extreme>, "aten::maximum"),
    op("Mean", 1, lower<mean>),
    op_to("Min", 1, lower_to<extreme>, "aten::minimum"),
    op("Mod", 10, lower<mod>),
    op_to("Mul", 1, lower_to<wrapping>, "aten::mul.Tensor"),
    op_to("Neg", 1, lower_to<unary>, "aten::neg"),
    op("Pow", 1, lower<pow>),
    op_to("Reciprocal", 1, lower_to<unary>, "aten::reciprocal"),
    op_to("Round", 11, lower_to<unary>, "aten::round"),
    op("Sign", 9, lower<sign>),
    op_to("Sin", 7, lower_to<unary>, "aten::sin"),
    op_to("Sinh", 9, lower_to<unary>, "aten::sinh"),
    op_to("Sqrt", 1, lower_to<unary>, "aten::sqrt"),
    op_to("Sub", 1, lower_to<wrapping>, "aten::sub.Tensor"),
    op("Sum", 1, lower<sum>),
    op_to("Tan", 7, lower_to<unary>, "aten::tan"),
};

}  // namespace

const Family kArithmetic = family(kOps);
