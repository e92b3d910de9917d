#include "core/prepare/scope.hpp"

namespace onnx2fx::prepare {
namespace {

std::unordered_set<std::string_view> names_defined(const onnx::GraphProto& graph) {
  std::unordered_set<std::string_view> names;
  for (const auto& input : graph.input()) names.insert(input.name());
  for (const auto& tensor : graph.initializer()) names.insert(tensor.name());
  for (const auto& tensor : graph.sparse_initializer()) names.insert(tensor.values().name());
  for (const auto& node : graph.node()) names.insert(node.output().begin(), node.output().end());
  return names;
}

void add_captures(const onnx::GraphProto& graph, std::vector<std::string_view>& out) {
  const std::unordered_set<std::string_view> own = names_defined(graph);
  const auto add = [&](std::string_view name) {
    if (!name.empty() && !own.contains(name)) out.push_back(name);
  };
  for (const auto& node : graph.node()) {
    for (const std::string_view name : names_read(node)) add(name);
  }
  for (const auto& output : graph.output()) add(output.name());
}

}  // namespace

std::vector<std::string_view> names_read(const onnx::NodeProto& node) {
  std::vector<std::string_view> names;
  for (const std::string& input : node.input()) {
    if (!input.empty()) names.push_back(input);
  }
  for (const auto& attribute : node.attribute()) {
    if (attribute.has_g()) add_captures(attribute.g(), names);
    for (const auto& graph : attribute.graphs()) add_captures(graph, names);
  }
  return names;
}

}  // namespace onnx2fx::prepare
