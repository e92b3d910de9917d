// Operators that are ONNX functions: the body of a model-local function or of a schema is lowered
// in the node's place, under the body's own opset imports, with the node's attributes bound.
#include <onnx/defs/function.h>

#include "core/convert/converter.hpp"

namespace onnx2fx::conversion {
namespace {

using Attributes = std::map<std::string, const onnx::AttributeProto*>;

void bind_attributes(onnx::NodeProto& node, const Attributes& given) {
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
      for (auto& n : *a.mutable_g()->mutable_node()) bind_attributes(n, given);
    for (auto& g : *a.mutable_graphs())
      for (auto& n : *g.mutable_node()) bind_attributes(n, given);
  }
}

}  // namespace

const onnx::FunctionProto* Converter::function_body(const Place& place, const NodeView& view) {
  const auto local =
      functions_.find(place.domain + ":" + place.node.op_type() + ":" + place.node.overload());
  if (local != functions_.end()) return local->second;
  if (!view.schema) return nullptr;
  if (view.schema->HasContextDependentFunction()) {
    std::vector<onnx::TypeProto> types;
    for (const ValueId id : view.inputs) {
      types.emplace_back();
      if (id) to_proto(builder.type(id), builder.syms, &types.back());
    }
    onnx::NodeProto node = place.node;
    onnx::FunctionBodyBuildContextImpl context(node, types);
    onnx::FunctionProto body;
    if (view.schema->BuildContextDependentFunction(context, body, static_cast<int>(place.opset))) {
      expanded_.push_back(std::move(body));
      return &expanded_.back();
    }
  }
  return view.schema->HasFunction() ? view.schema->GetFunction(static_cast<int>(place.opset))
                                    : nullptr;
}

// nullopt: the operator is no function.
std::optional<Faults> Converter::expand_function(const Place& place, const NodeView& view,
                                                 const std::vector<Type>& types, Scope& scope,
                                                 Report::Node& entry) {
  const onnx::FunctionProto* body = function_body(place, view);
  if (!body) return {};
  if (++depth_ > 64)
    throw ConversionError(place.where, "functions nest deeper than 64, or call themselves");
  const Budget::Body expanded = budget.expand(
      "function '" + (place.domain.empty() ? "" : place.domain + ".") + place.node.op_type() + "'");
  Attributes given;
  if (view.schema)
    for (const auto& [name, a] : view.schema->attributes())
      if (a.default_value.has_name()) given[name] = &a.default_value;
  for (const auto& a : body->attribute_proto()) given[a.name()] = &a;
  for (const auto& a : place.node.attribute()) given[a.name()] = &a;
  expanded_.push_back(*body);
  onnx::FunctionProto& copy = expanded_.back();
  for (auto& n : *copy.mutable_node()) {
    if (n.domain() == "ai.onnx") n.set_domain("");
    bind_attributes(n, given);
  }
  tables_.push_back(prepare::opsets_of(copy));
  tables_.back().insert(scope.opsets->begin(),
                        scope.opsets->end());  // what the body does not import itself
  Scope inner;
  inner.nodes = &copy.node();
  inner.opsets = &tables_.back();
  inner.function_path =
      (scope.function_path.empty() ? "" : scope.function_path + "/") + place.node.op_type();
  for (int i = 0; i < copy.input_size(); i++) {
    const bool is_given =
        i < static_cast<int>(view.inputs.size()) && view.inputs[static_cast<size_t>(i)];
    if (is_given)
      inner.values[copy.input(i)] = view.inputs[static_cast<size_t>(i)];
    else
      absent_inputs(copy, copy.input(i));
  }
  Faults all;
  for (const auto& n : copy.node()) {
    Faults f = lower_node(n, inner);
    all.insert(all.end(), std::make_move_iterator(f.begin()), std::make_move_iterator(f.end()));
  }
  depth_--;
  entry.provider = "function body";
  if (!all.empty()) return all;
  for (int i = 0; i < place.node.output_size() && i < copy.output_size(); i++) {
    if (place.node.output(i).empty()) continue;
    const ValueId id = inner.find(copy.output(i));
    if (!id)
      throw HostError(O2FX_E_MODEL, "function '" + copy.name() + "': output '" + copy.output(i) +
                                        "': expected a value, got none");
    bind(place.node, i, id, &types[static_cast<size_t>(i)], scope);
  }
  return all;
}

// An input that the call omits is omitted wherever the body mentions it.
void Converter::absent_inputs(onnx::FunctionProto& body, const std::string& name) {
  const auto clear = [&](auto& self, onnx::NodeProto& n) -> void {
    for (auto& i : *n.mutable_input())
      if (i == name) i.clear();
    for (auto& a : *n.mutable_attribute())
      if (a.has_g())
        for (auto& inner : *a.mutable_g()->mutable_node()) self(self, inner);
  };
  for (auto& n : *body.mutable_node()) clear(clear, n);
}

}  // namespace onnx2fx::conversion
