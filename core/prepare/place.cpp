#include "core/prepare/place.hpp"

namespace onnx2fx::prepare {

std::string op_name(const std::string& domain, const std::string& op_type) {
  return domain.empty() ? op_type : domain + "." + op_type;
}

std::string node_name(const onnx::NodeProto& node, int index) {
  return node.name().empty() ? "#" + std::to_string(index) : "'" + node.name() + "'";
}

std::string node_place(const std::string& owner, const onnx::NodeProto& node, int index,
                       std::optional<int64_t> opset) {
  std::string op = op_name(node.domain(), node.op_type());
  if (opset) op += ", opset " + std::to_string(*opset);
  return owner + ": node " + node_name(node, index) + " (" + op + ")";
}

std::string subgraph_place(const std::string& owner, const onnx::NodeProto& node, int index,
                           const std::string& attribute) {
  return owner + ": node " + node_name(node, index) + " " + attribute;
}

std::string function_place(const std::string& owner, const onnx::FunctionProto& function) {
  return owner + ": function '" + op_name(function.domain(), function.name()) + "'";
}

}  // namespace onnx2fx::prepare
