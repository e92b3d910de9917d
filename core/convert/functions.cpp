// Operators that are ONNX functions: the body of a model-local function or of a schema is lowered
// in the node's place, under the body's own opset imports, with the node's attributes bound.
#include <onnx/defs/function.h>

#include "core/convert/converter.hpp"

namespace onnx2fx::conversion {
namespace {

using Attributes = std::map<std::string, const onnx::AttributeProto*>;

void substitute_attributes(onnx::NodeProto& node, const Attributes& given) {
  auto* all = node.mutable_attribute();
  for (int i = all->size() - 1; i >= 0; i--) {
    onnx::AttributeProto& a = *all->Mutable(i);
    if (!a.ref_attr_name().empty()) {
      const auto it = given.find(a.ref_attr_name());
      if (it == given.end()) {
        all->DeleteSubrange(i, 1);  // not given and without default: absent
        continue;
      }
      const std::string name = a.name();
      a = *it->second;
      a.set_name(name);
    }
    if (a.has_g())
      for (auto& n : *a.mutable_g()->mutable_node()) substitute_attributes(n, given);
    for (auto& g : *a.mutable_graphs())
      for (auto& n : *g.mutable_node()) substitute_attributes(n, given);
  }
}

/// An input that the call omits is omitted wherever the body mentions it.
void omit_input(onnx::NodeProto& node, const std::string& name) {
  for (auto& i : *node.mutable_input())
    if (i == name) i.clear();
  for (auto& a : *node.mutable_attribute())
    if (a.has_g())
      for (auto& inner : *a.mutable_g()->mutable_node()) omit_input(inner, name);
}

/// Those of the call, else the function's defaults, else the schema's.
Attributes attributes_of(const Place& place, const NodeView& view,
                         const onnx::FunctionProto& body) {
  Attributes given;
  if (view.schema)
    for (const auto& [name, a] : view.schema->attributes())
      if (a.default_value.has_name()) given[name] = &a.default_value;
  for (const auto& a : body.attribute_proto()) given[a.name()] = &a;
  for (const auto& a : place.node.attribute()) given[a.name()] = &a;
  return given;
}

}  // namespace

const onnx::FunctionProto* Converter::function_body(const Place& place, const NodeView& view) {
  const auto local =
      functions_.find(place.domain() + ":" + place.node.op_type() + ":" + place.node.overload());
  if (local != functions_.end()) return local->second;
  if (!view.schema) return nullptr;
  if (view.schema->HasContextDependentFunction()) {
    std::vector<onnx::TypeProto> types;
    for (const ValueId id : view.inputs) {
      types.emplace_back();
      if (id) to_proto(builder_.type(id), builder_.syms, &types.back());
    }
    onnx::NodeProto node = place.node;
    onnx::FunctionBodyBuildContextImpl context(node, types);
    onnx::FunctionProto body;
    if (view.schema->BuildContextDependentFunction(context, body, static_cast<int>(place.opset))) {
      bodies_.push_back(std::move(body));
      return &bodies_.back();
    }
  }
  return view.schema->HasFunction() ? view.schema->GetFunction(static_cast<int>(place.opset))
                                    : nullptr;
}

Scope Converter::scope_of_body(const onnx::FunctionProto& body, const Place& place) {
  body_opsets_.push_back(prepare::opsets_of(body));
  body_opsets_.back().insert(place.scope.opsets->begin(),
                             place.scope.opsets->end());  // what the body does not import itself
  Scope scope;
  scope.nodes = &body.node();
  scope.opsets = &body_opsets_.back();
  const std::string& outer = place.scope.function_path;
  scope.function_path = (outer.empty() ? "" : outer + "/") + place.node.op_type();
  return scope;
}

std::optional<Faults> Converter::lower_by_function(const Place& place, const NodeView& view,
                                                   const std::vector<Type>& types, Scope& scope,
                                                   Report::Node& entry) {
  const onnx::FunctionProto* found = function_body(place, view);
  if (!found) return {};
  const Level level(depth_, place.where(), "functions nest deeper than 64, or call themselves");
  const Budget::Body expanded =
      budget_.expand("function '" + prepare::op_name(place.domain(), place.node.op_type()) + "'");
  bodies_.push_back(*found);
  onnx::FunctionProto& body = bodies_.back();
  const Attributes given = attributes_of(place, view, *found);
  for (auto& n : *body.mutable_node()) {
    if (n.domain() == "ai.onnx") n.set_domain("");
    substitute_attributes(n, given);
  }
  Scope inner = scope_of_body(body, place);
  for (int i = 0; i < body.input_size(); i++) {
    const auto k = static_cast<size_t>(i);
    if (k < view.inputs.size() && view.inputs[k])
      inner.values[body.input(i)] = view.inputs[k];
    else
      for (auto& n : *body.mutable_node()) omit_input(n, body.input(i));
  }
  Faults all;
  for (const auto& n : body.node()) append(all, lower_node(n, inner));
  entry.provider = "function body";
  if (!all.empty()) return all;
  for (int i = 0; i < place.node.output_size() && i < body.output_size(); i++) {
    if (place.node.output(i).empty()) continue;
    const ValueId id = inner.find(body.output(i));
    if (!id)
      throw HostError(O2FX_E_MODEL, "function '" + body.name() + "': output '" + body.output(i) +
                                        "': expected a value, got none");
    bind_output(place.node, i, id, types[static_cast<size_t>(i)], scope);
  }
  return all;
}

}  // namespace onnx2fx::conversion
