// Python's operators on numbers and sequences that a call may name: core/fx/number_operators.def.
#ifndef ONNX2FX_CORE_BUILD_NUMBER_OPERATORS_HPP_
#define ONNX2FX_CORE_BUILD_NUMBER_OPERATORS_HPP_

#include <cstdint>
#include <span>
#include <string_view>

namespace onnx2fx::conversion {

enum class NumberResult : uint8_t { kSame, kBool, kInt, kFloat, kAny };
struct NumberOperator {
  std::string_view target;
  uint32_t arguments;
  NumberResult result;
};

/// By byte order of their targets.
std::span<const NumberOperator> number_operators();
/// Null: there is none.
const NumberOperator* find_number_operator(std::string_view target);

}  // namespace onnx2fx::conversion

#endif
