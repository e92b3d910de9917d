#include "plugins/lowering/dtype.hpp"

namespace onnx2fx {

// Twice the quotient of a / 2 falls short by one at most; a b of 2^63 and more goes into a once or
// never.
Value divided_unsigned(Node& n, Value a, Value b) {
  const auto at_least = [&](Value x, Value y) {
    return n.call("aten::ge.Tensor", {ordered(n, x, kUint64), ordered(n, y, kUint64)});
  };
  const Value half =
      n.call("aten::bitwise_and.Scalar", {n.call("aten::bitwise_right_shift.Tensor_Scalar", {a, 1}),
                                          std::numeric_limits<int64_t>::max()});
  const Value huge = n.call("aten::lt.Scalar", {b, 0});
  const Value one = n.call("aten::ones_like", {b});
  const Value safe = n.call("aten::where.self", {huge, one, b});
  const Value guess =
      n.call("aten::mul.Scalar",
             {n.call("aten::div.Tensor_mode", {half, safe}, {{"rounding_mode", "trunc"}}), 2});
  const Value rest = n.call("aten::sub.Tensor", {a, n.call("aten::mul.Tensor", {guess, b})});
  const Value q = n.call("aten::add.Tensor", {guess, at_least(rest, b)});
  return n.call("aten::where.self", {huge, to_dtype(n, at_least(a, b), kInt64), q});
}

}  // namespace onnx2fx
