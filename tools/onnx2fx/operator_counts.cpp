#include "tools/onnx2fx/operator_counts.hpp"

namespace onnx2fx::cli {

std::string full_name(const std::string& domain, const std::string& op_type) {
  return domain.empty() ? op_type : domain + "." + op_type;
}

OperatorCounts::OperatorCounts(const Report& report) {
  for (const Report::Node& n : report.nodes) {
    const bool constant = n.domain.empty() && n.op_type == "Constant";
    if (constant || n.provider.starts_with("host: ")) {
      ++folded[full_name(n.domain, n.op_type)];
    } else {
      ++lowered[{n.domain, n.op_type, n.opset, n.provider}];
    }
  }
}

}  // namespace onnx2fx::cli
