// The operators of a model, and how many nodes of each.
#ifndef ONNX2FX_TOOLS_ONNX2FX_OPERATOR_COUNTS_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_OPERATOR_COUNTS_HPP_

#include <compare>
#include <cstdint>
#include <map>
#include <string>

#include "core/include/onnx2fx/convert.hpp"

namespace onnx2fx::cli {

struct OperatorRow {
  std::string domain, op_type;
  int64_t opset;
  std::string provider;
  auto operator<=>(const OperatorRow&) const = default;
};
/// "com.acme.Rope"; of ONNX's own domain "Relu".
std::string full_name(const std::string& domain, const std::string& op_type);

struct OperatorCounts {
  explicit OperatorCounts(const Report& report);

  std::map<OperatorRow, uint64_t> lowered;
  /// Constants, and what is computed of shapes during the conversion: no call comes of them.
  std::map<std::string, uint64_t> folded;
};

}  // namespace onnx2fx::cli

#endif
