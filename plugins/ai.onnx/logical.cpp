// Truth values, comparisons, choices, and the bits of integers.
#include <algorithm>
#include <functional>

#include "plugins/ai.onnx/elementwise.hpp"
#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/conversion.hpp"
#include "plugins/lowering/dtype.hpp"
#include "plugins/lowering/movement.hpp"

using namespace onnx2fx;

namespace {

void binary(Node& n, const char* target) {
  const Value a = n.input(0);
  n.output(n.call(target, {a, second_operand(n)}));
}

// Two known integers, sizes above all, compare here and now: an If may depend on it.
template <class F>
Value folded(Node& n, Value a, Value b, F compares) {
  const auto x = n.maybe_literals(a), y = n.maybe_literals(b);
  if (!x || !y || x->size() != 1 || y->size() != 1) return {};
  const int32_t rank = std::max(n.info(a).raw.rank, n.info(b).raw.rank);
  if (rank < 0) return {};
  return n.constant<char>("known", kBool, {static_cast<char>(compares(x->front(), y->front()))},
                          std::vector<int64_t>(static_cast<size_t>(rank), 1));
}

void equal(Node& n) {
  const Value a = n.input(0), b = second_operand(n);
  if (const Value known = folded(n, a, b, std::equal_to<int64_t>())) return n.output(known);
  const bool strings = dtype_if_known(n, a) == kString;
  n.output(n.call(strings ? "onnx2fx::strings_equal" : "aten::eq.Tensor", {a, b}));
}

void compare(Node& n, const char* target) {
  const Value a = n.input(0), b = second_operand(n);
  const int32_t dtype = dtype_if_known(n, a);
  n.output(n.call(target, {ordered(n, a, dtype), ordered(n, b, dtype)}));
}

void where(Node& n) {
  const Value condition = n.input(0);
  n.outputs(moved(n, {n.input(1), n.input(2)}, Elements::kPlain, [&](const Values& v) {
    return Values{n.call("aten::where.self", {condition, v[0], v[1]})};
  }));
}

// ---- special values

Value float_values(Node& n, Value x) {
  return is_float8(dtype_if_known(n, x)) ? to_dtype(n, x, kFloat) : x;
}

void is_nan(Node& n) { n.output(n.call("aten::isnan", {float_values(n, n.input(0))})); }

void is_inf(Node& n) {
  const Value x = float_values(n, n.input(0));
  const bool negative = n.flag("detect_negative"), positive = n.flag("detect_positive");
  if (negative && positive) return n.output(n.call("aten::isinf", {x}));
  if (negative) return n.output(n.call("aten::isneginf", {x}));
  if (positive) return n.output(n.call("aten::isposinf", {x}));
  n.output(n.call("aten::zeros_like", {x}, {{"dtype", Dtype{kBool}}}));
}

// ---- bits

// x >> by of int64 tensors that hold the bits of uint64: the first step clears the sign.
Value shifted_right_unsigned(Node& n, Value x, Value by) {
  const Value half =
      n.call("aten::bitwise_and.Scalar", {n.call("aten::bitwise_right_shift.Tensor_Scalar", {x, 1}),
                                          std::numeric_limits<int64_t>::max()});
  const Value rest = n.call("aten::clamp", {n.call("aten::sub.Scalar", {by, 1}), 0, nullptr});
  const Value y = n.call("aten::bitwise_right_shift.Tensor", {half, rest});
  return n.call("aten::where.self", {n.call("aten::eq.Scalar", {by, 0}), x, y});
}

// Shifts by less than 0 or by the width and more: only the fill of the sign bit is left.
void bit_shift(Node& n) {
  const Value x = n.input(0), y = n.input(1);
  const bool left = choice(n, "direction", {"LEFT", "RIGHT"}) == 0;
  const int32_t dtype = n.dtype(x);
  const int64_t width = bits_in(dtype);
  const Value a = widened(n, x, dtype), by = widened(n, y, dtype);
  Value out = n.call("aten::ge.Scalar", {by, width});
  if (!is_unsigned(dtype) || dtype == kUint64)  // held as int64
    out = n.call("aten::logical_or", {n.call("aten::lt.Scalar", {by, 0}), out});
  const Value safe = n.call("aten::masked_fill.Scalar", {by, out, 0});
  const Value shifted = left               ? n.call("aten::bitwise_left_shift.Tensor", {a, safe})
                        : dtype == kUint64 ? shifted_right_unsigned(n, a, safe)
                                           : n.call("aten::bitwise_right_shift.Tensor", {a, safe});
  if (left || is_unsigned(dtype))
    return n.output(narrowed(n, n.call("aten::masked_fill.Scalar", {shifted, out, 0}), dtype));
  const Value fill = n.call("aten::bitwise_right_shift.Tensor_Scalar", {a, width - 1});
  n.output(narrowed(n, n.call("aten::where.self", {out, fill, shifted}), dtype));
}

void bitwise_not(Node& n) {
  const Value x = n.input(0);
  const int32_t dtype = dtype_if_known(n, x);
  n.output(narrowed(n, n.call("aten::bitwise_not", {widened(n, x, dtype)}), dtype));
}

void bit_cast(Node& n) {
  const Value x = n.input(0);
  n.output(reinterpreted(n, x, n.dtype(x), static_cast<int32_t>(n.integer("to"))));
}

constexpr o2fx_op kOps[] = {
    op_to("And", 1, lower_to<binary>, "aten::logical_and"),
    op("BitCast", 26, lower<bit_cast>),
    op("BitShift", 11, lower<bit_shift>),
    op_to("BitwiseAnd", 18, lower_to<binary>, "aten::bitwise_and.Tensor"),
    op("BitwiseNot", 18, lower<bitwise_not>),
    op_to("BitwiseOr", 18, lower_to<binary>, "aten::bitwise_or.Tensor"),
    op_to("BitwiseXor", 18, lower_to<binary>, "aten::bitwise_xor.Tensor"),
    op("Equal", 1, lower<equal>),
    op_to("Greater", 1, lower_to<compare>, "aten::gt.Tensor"),
    op_to("GreaterOrEqual", 12, lower_to<compare>, "aten::ge.Tensor"),
    op("IsInf", 10, lower<is_inf>),
    op("IsNaN", 9, lower<is_nan>),
    op_to("Less", 1, lower_to<compare>, "aten::lt.Tensor"),
    op_to("LessOrEqual", 12, lower_to<compare>, "aten::le.Tensor"),
    direct("Not", 1, "aten::logical_not"),
    op_to("Or", 1, lower_to<binary>, "aten::logical_or"),
    op("Where", 9, lower<where>),
    op_to("Xor", 1, lower_to<binary>, "aten::logical_xor"),
};

}  // namespace

const Family kLogical = family(kOps);
