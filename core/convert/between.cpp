// A part of a graph, given by the names where it begins and ends, lowered once more.
#include <set>
#include <string>
#include <vector>

#include "core/convert/converter.hpp"

namespace onnx2fx::conversion {
namespace {

using Names = std::set<std::string>;
using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

/// Whatever the node may read, also from inside its graphs.
void add_read(const onnx::NodeProto& node, Names& names) {
  names.insert(node.input().begin(), node.input().end());
  const auto add_graph = [&](const onnx::GraphProto& graph) {
    for (const auto& inner : graph.node()) add_read(inner, names);
    for (const auto& output : graph.output()) names.insert(output.name());
  };
  for (const auto& a : node.attribute()) {
    if (a.has_g()) add_graph(a.g());
    for (const auto& g : a.graphs()) add_graph(g);
  }
}

bool any_in(const auto& names, const Names& set) {
  for (const std::string& name : names)
    if (set.count(name)) return true;
  return false;
}

/// For each node whether it reads one of the names, directly or not.
std::vector<bool> depending_on(Names names, const Nodes& nodes) {
  std::vector<bool> result;
  for (const auto& node : nodes) {
    Names read;
    add_read(node, read);
    result.push_back(any_in(read, names));
    if (result.back()) names.insert(node.output().begin(), node.output().end());
  }
  return result;
}

}  // namespace

Faults Converter::lower_between(Scope& inner, const std::string& to) {
  const Scope& outer = *inner.parent;
  const Level level(depth_, "value '" + to + "'", "it is computed from itself, or 64 levels deep");
  Names from;
  for (const auto& [name, value] : inner.values) from.insert(name);
  const std::vector<bool> depends = depending_on(from, *outer.nodes);
  Names needed{to};
  std::vector<const onnx::NodeProto*> part;
  for (int i = outer.nodes->size() - 1; i >= 0; i--) {
    const onnx::NodeProto& node = outer.nodes->Get(i);
    Names missing;
    for (const std::string& name : node.output())
      if (!from.count(name) && (depends[static_cast<size_t>(i)] || !outer.find(name)))
        missing.insert(name);
    if (!any_in(missing, needed)) continue;
    part.push_back(&node);
    add_read(node, needed);
  }
  Faults all;
  for (auto node = part.rbegin(); node != part.rend(); ++node)
    append(all, lower_node(**node, inner));
  return all;
}

}  // namespace onnx2fx::conversion
