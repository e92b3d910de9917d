#include "plugins/lowering/conversion.hpp"

#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/dtype.hpp"

namespace onnx2fx {
namespace {

// ---- what the narrow types can hold

struct Width {
  int32_t dtype;
  int bits;  // of an integer
};
constexpr Width kWidths[] = {{kInt2, 2},  {kUint2, 2},  {kInt4, 4},    {kUint4, 4},  {kInt8, 8},
                             {kUint8, 8}, {kInt16, 16}, {kUint16, 16}, {kInt32, 32}, {kUint32, 32}};

int width_of(int32_t integer) {
  for (const Width& w : kWidths)
    if (w.dtype == integer) return w.bits;
  throw Unsupported("expected an integer type of up to 32 bits, got data type " +
                    std::to_string(integer));
}

bool is_subbyte(int32_t dtype) {
  return dtype == kInt4 || dtype == kUint4 || dtype == kInt2 || dtype == kUint2;
}

// A float type of few values: `mantissa` bits behind the point, its least normal number, its
// greatest.
struct Grid {
  int mantissa;
  double least_normal, greatest;
};
Grid grid_of(int32_t dtype) {
  if (dtype == kFloat4e2m1) return {1, 1, 6};
  if (dtype == kFloat6e2m3) return {3, 1, 7.5};
  return {2, 0.25, 28};
}

// What a float8 type saturates to, and from where on it rounds past that.
struct Float8Range {
  double greatest, overflow;
};
Float8Range float8_range(int32_t dtype) {
  switch (dtype) {
    case kFloat8e4m3fn:
      return {448, 464};
    case kFloat8e4m3fnuz:
      return {240, 248};
    default:
      return {57344, 61440};
  }
}

// ---- conversions to the types that torch has not, or converts to in its own way

// Keeps the low bits, as ONNX wants of integers out of range.
Value to_subbyte(Node& n, Value v, int32_t to) {
  const IntegerRange range = range_of(to);
  const int64_t mask = range.greatest - range.least;
  Value y = n.call("aten::bitwise_and.Scalar", {to_dtype(n, v, kInt32), mask});
  if (!is_unsigned(to)) {
    y = n.call("aten::bitwise_xor.Scalar", {y, -range.least});
    y = n.call("aten::add.Scalar", {y, range.least});
  }
  return to_dtype(n, y, carrier_of(to));
}

// Rounds to the nearest element, ties to even: a multiple of the distance of elements around v.
Value to_grid(Node& n, Value v, const Grid& g) {
  const Value x = n.call("aten::nan_to_num", {v, 0.0, g.greatest, -g.greatest});
  const Value size = n.call("aten::abs", {x});
  double step = g.least_normal / (1 << g.mantissa);
  Value steps = n.call("aten::full_like", {x, step});
  for (double from = 2 * g.least_normal; from <= g.greatest; from *= 2) {
    step *= 2;
    const Value inside = n.call("aten::ge.Scalar", {size, from});
    steps = n.call("aten::where.ScalarSelf", {inside, step, steps});
  }
  const Value rounded = n.call("aten::round", {n.call("aten::div.Tensor", {x, steps})});
  const Value y = n.call("aten::mul.Tensor", {rounded, steps});
  return to_dtype(n, n.call("aten::clamp", {y, -g.greatest, g.greatest}), kFloat);
}

// torch releases differ in what overflows: so nothing overflows in torch.
Value to_float8(Node& n, Value v, int32_t to, bool saturate) {
  const Float8Range range = float8_range(to);
  if (saturate) {
    v = n.call("aten::clamp", {v, -range.greatest, range.greatest});
  } else if (to == kFloat8e4m3fn) {
    const Value over = n.call("aten::gt.Scalar", {n.call("aten::abs", {v}), range.overflow});
    v = n.call("aten::masked_fill.Scalar", {v, over, std::numeric_limits<double>::quiet_NaN()});
  }
  return to_dtype(n, v, to);
}

// The exponent of a float32 is the whole of a float8e8m0, 255 meaning NaN in it.
Value to_e8m0(Node& n, Value v, const Conversion& how) {
  const Value bits = n.call("aten::view.dtype", {v, Dtype{kInt32}});
  const auto any = [&](int64_t mask) {
    return n.call("aten::ne.Scalar", {n.call("aten::bitwise_and.Scalar", {bits, mask}), 0});
  };
  Value exponent = n.call("aten::bitwise_right_shift.Tensor_Scalar", {bits, 23});
  exponent = n.call("aten::bitwise_and.Scalar", {exponent, 0xFF});
  Value up;
  if (how.round_mode == "up") {
    up = any(0x7FFFFF);
  } else if (how.round_mode == "nearest") {
    const Value rest =
        n.call("aten::logical_or", {any(0x3FFFFF), n.call("aten::gt.Scalar", {exponent, 0})});
    up = n.call("aten::logical_and", {any(0x400000), rest});
  } else {
    place_among("round_mode", how.round_mode, {"up", "down", "nearest"});
  }
  if (up) {
    const Value room = n.call("aten::lt.Scalar", {exponent, how.saturate ? 254 : 255});
    exponent = n.call("aten::add.Tensor", {exponent, n.call("aten::logical_and", {up, room})});
  }
  return n.call("aten::view.dtype", {to_dtype(n, exponent, kUint8), Dtype{kFloat8e8m0}});
}

// Strings are read as the nearest type that can be read exactly.
int32_t readable(int32_t to) {
  if (is_integer(to)) return is_subbyte(to) ? kInt64 : to;
  return to == kDouble ? kDouble : kFloat;
}

// The bits of a float4, 0 to 15, from its value.
Value float4_bits(Node& n, Value v) {
  static const std::vector<int8_t> kCodes = {0,  1, 2,  3,  4,  -1, 5,
                                             -1, 6, -1, -1, -1, 7};  // by 2|v|
  const Value codes = n.constant("float4_codes", kInt8, kCodes, {13});
  const Value twice = n.call("aten::mul.Scalar", {n.call("aten::abs", {v}), 2});
  const Value code = n.call("aten::index.Tensor", {codes, Values{to_dtype(n, twice, kInt64)}});
  const Value sign = n.call("aten::mul.Scalar", {n.call("aten::signbit", {v}), 8});
  return to_dtype(n, n.call("aten::add.Tensor", {code, sign}), kUint8);
}

Value float4_values(Node& n, Value bits) {
  static const std::vector<float> kElements = {0,    .5f,  1,  1.5f,  2,  3,  4,  6,
                                               -0.f, -.5f, -1, -1.5f, -2, -3, -4, -6};
  const Value values = n.constant("float4_values", kFloat, kElements, {16});
  return n.call("aten::index.Tensor", {values, Values{to_dtype(n, bits, kInt64)}});
}

}  // namespace

bool is_float_grid(int32_t dtype) {
  return dtype == kFloat4e2m1 || dtype == kFloat6e2m3 || dtype == kFloat6e3m2;
}

int32_t carrier_of(int32_t dtype) {
  if (is_float_grid(dtype)) return kFloat;
  if (is_subbyte(dtype)) return is_unsigned(dtype) ? kUint8 : kInt8;
  return dtype;
}

IntegerRange range_of(int32_t integer) {
  const int bits = width_of(integer);
  if (is_unsigned(integer)) return {0, (int64_t{1} << bits) - 1};
  return {-(int64_t{1} << (bits - 1)), (int64_t{1} << (bits - 1)) - 1};
}

int bits_in(int32_t dtype) {
  if (is_integer(dtype)) return dtype == kInt64 || dtype == kUint64 ? 64 : width_of(dtype);
  if (is_float8(dtype) || dtype == kBool) return 8;
  if (dtype == kFloat4e2m1) return 4;
  if (dtype == kFloat16 || dtype == kBfloat16) return 16;
  if (dtype == kFloat) return 32;
  if (dtype == kComplex128) return 128;
  if (dtype == kDouble || dtype == kComplex64) return 64;
  throw Unsupported("expected a type of known width, got data type " + std::to_string(dtype));
}

Value converted(Node& n, Value v, int32_t from, int32_t to, const Conversion& how) {
  if (from == to) return v;
  if (from == kString) {
    const int32_t read = readable(to);
    return converted(n, n.call("onnx2fx::strings_to_tensor", {v, Dtype{read}}), read, to, how);
  }
  // float8 and bfloat16 have few kernels, and no text of their own
  const bool via_float = is_float8(from) || (from == kBfloat16 && to == kString);
  if (via_float && to != kFloat) return converted(n, to_dtype(n, v, kFloat), kFloat, to, how);
  if (to == kString) return n.call("onnx2fx::strings_from_tensor", {v});
  if (is_subbyte(to)) return to_subbyte(n, v, to);
  const bool needs_float = is_float_grid(to) || is_float8(to);
  if (needs_float && carrier_of(from) != kFloat && !(is_float_grid(to) && from == kDouble))
    v = to_dtype(n, v, kFloat);
  if (is_float_grid(to)) return to_grid(n, v, grid_of(to));
  if (to == kFloat8e8m0) return to_e8m0(n, v, how);
  if (is_float8(to)) return to_float8(n, v, to, how.saturate);
  return to_dtype(n, v, to);
}

Value reinterpreted(Node& n, Value v, int32_t from, int32_t to) {
  if (from == to) return v;
  if (bits_in(from) != bits_in(to))
    throw Invalid("attribute 'to': expected a type of " + std::to_string(bits_in(from)) +
                  " bits, got one of " + std::to_string(bits_in(to)));
  if (bits_in(from) >= 8) return n.call("aten::view.dtype", {v, Dtype{to}});
  // Narrower ones are no bytes in torch: by way of the unsigned integer
  const Value bits = from == kFloat4e2m1 ? float4_bits(n, v) : v;
  if (to == kFloat4e2m1)
    return float4_values(n, is_unsigned(from) ? bits : to_subbyte(n, bits, kUint4));
  if (from == kFloat4e2m1 && to == kUint4) return bits;
  return to_subbyte(n, bits, to);
}

}  // namespace onnx2fx
