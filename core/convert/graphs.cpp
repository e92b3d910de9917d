// Converter: whole graphs, and those that a node holds or stands in.
#include "core/convert/converter.hpp"

namespace onnx2fx::conversion {

void Converter::declare(const onnx::GraphProto& graph, Scope& scope) {
  for (const auto& t : graph.initializer()) scope.values[t.name()] = tensors_.of_model(t, t.name());
  for (const auto& t : graph.sparse_initializer())
    scope.values[t.values().name()] = tensors_.of_model(t, t.values().name());
  for (const auto& v : graph.value_info()) scope.declared[v.name()] = &v.type();
  for (const auto& v : graph.output())
    if (v.has_type()) scope.declared[v.name()] = &v.type();
}

Faults Converter::lower_graph(const onnx::GraphProto& graph, Scope& scope) {
  const Level level(depth_, file_.name, "graphs and functions nest deeper than 64");
  declare(graph, scope);
  scope.nodes = &graph.node();
  Faults all;
  for (const auto& node : graph.node()) append(all, lower_node(node, scope));
  return all;
}

std::vector<ValueId> Converter::outputs_of(const onnx::GraphProto& graph, const Scope& scope) {
  std::vector<ValueId> r;
  for (const auto& o : graph.output()) {
    const ValueId id = scope.find(o.name());
    if (!id)
      throw HostError(O2FX_E_MODEL, "graph '" + graph.name() + "': output '" + o.name() +
                                        "': expected a value, got none");
    r.push_back(id);
  }
  return r;
}

// ---- for a node's lowering

void NodeGraphs::fail(Faults&& more, const std::string& where) {
  const std::string what = where + ": " + more[0].diagnostic.what;
  append(faults, std::move(more));
  throw HostError(O2FX_E_UNSUPPORTED, what);
}

std::vector<ValueId> NodeGraphs::lower(const onnx::GraphProto& graph,
                                       std::span<const ValueId> inputs) {
  const Budget::Body expanded =
      converter_.budget_.expand("node '" + place_.name() + "' (" + place_.node.op_type() + ")");
  Scope scope = Scope::inside(place_.scope);
  for (size_t i = 0; i < inputs.size(); i++)
    scope.values[graph.input(static_cast<int>(i)).name()] = inputs[i];
  if (Faults more = converter_.lower_graph(graph, scope); !more.empty())
    fail(std::move(more), "in its graph '" + graph.name() + "'");
  std::vector<ValueId> results = Converter::outputs_of(graph, scope);
  for (const ValueId id : results) after_fault |= converter_.builder_.value(id).after_fault;
  return results;
}

ValueId NodeGraphs::lower_between(std::span<const std::string> from,
                                  std::span<const ValueId> values, const std::string& to) {
  Scope scope = Scope::inside(place_.scope);
  scope.nodes = place_.scope.nodes;
  for (size_t i = 0; i < from.size(); i++) scope.values[from[i]] = values[i];
  if (Faults more = converter_.lower_between(scope, to); !more.empty())
    fail(std::move(more), "on the way to '" + to + "'");
  const auto found = scope.values.find(to);
  if (found == scope.values.end())
    throw HostError(O2FX_E_MODEL, "value '" + to +
                                      "': expected one that the graph of this node computes from "
                                      "the values named, got none");
  return found->second;
}

}  // namespace onnx2fx::conversion
