// Unsigned integers in torch: uint16, uint32 and uint64 exist, but most kernels do not know them.
// They are computed in int64 here. That is exact for the narrower two; uint64 keeps its bits, so
// sums and products come out right (they wrap), and its order is that of int64 once the top bit is
// flipped.
#ifndef ONNX2FX_PLUGINS_LOWERING_DTYPE_HPP_
#define ONNX2FX_PLUGINS_LOWERING_DTYPE_HPP_

#include <limits>
#include <onnx2fx/plugin.hpp>

namespace onnx2fx {

constexpr bool is_wide_unsigned(int32_t dtype) {
  return dtype == kUint16 || dtype == kUint32 || dtype == kUint64;
}
/// The type that torch computes in for elements of `dtype`.
constexpr int32_t computed_in(int32_t dtype) { return is_wide_unsigned(dtype) ? kInt64 : dtype; }

/// The dtype, 0 if unknown: for ops that are the same for all types that torch's kernels take.
inline int32_t dtype_if_known(Node& n, Value v) { return n.info(v).raw.dtype; }

inline Value to_dtype(Node& n, Value v, int32_t dtype) {
  return n.call("aten::to.dtype", {v, Dtype{dtype}});
}

/// For sums and products, which torch widens for integers: the type of the operand. Nothing for
/// the other types, so that they follow the module through .half() and .double().
inline Kwargs kept(int32_t dtype) {
  if (is_floating(dtype) || is_complex(dtype)) return {};
  return {{"dtype", Dtype{dtype}}};
}

/// The same number (uint64: the same bits) in the type that torch computes in.
inline Value widened(Node& n, Value v, int32_t dtype) {
  return is_wide_unsigned(dtype) ? to_dtype(n, v, kInt64) : v;
}
inline Value narrowed(Node& n, Value v, int32_t dtype) {
  return is_wide_unsigned(dtype) ? to_dtype(n, v, dtype) : v;
}

/// A tensor that torch orders as ONNX orders v.
inline Value ordered(Node& n, Value v, int32_t dtype) {
  const Value wide = widened(n, v, dtype);
  if (dtype != kUint64) return wide;
  return n.call("aten::bitwise_xor.Scalar", {wide, std::numeric_limits<int64_t>::min()});
}
/// The inverse of ordered().
inline Value unordered(Node& n, Value v, int32_t dtype) {
  if (dtype == kUint64)
    v = n.call("aten::bitwise_xor.Scalar", {v, std::numeric_limits<int64_t>::min()});
  return narrowed(n, v, dtype);
}

/// a / b of int64 tensors that hold the bits of uint64.
Value divided_unsigned(Node& n, Value a, Value b);

}  // namespace onnx2fx

#endif
