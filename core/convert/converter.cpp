#include "core/convert/converter.hpp"

#include <algorithm>
#include <unordered_set>

#include "core/build/names.hpp"
#include "core/build/operands.hpp"
#include "core/convert/opaque.hpp"
#include "core/prepare/revision.hpp"
#include "core/shapes/real.hpp"

namespace onnx2fx::conversion {

std::vector<const onnx::ValueInfoProto*> open_inputs(const onnx::GraphProto& graph) {
  std::unordered_set<std::string> given;
  for (const auto& t : graph.initializer()) given.insert(t.name());
  for (const auto& t : graph.sparse_initializer()) given.insert(t.values().name());
  std::vector<const onnx::ValueInfoProto*> inputs;
  for (const auto& i : graph.input())
    if (!given.count(i.name())) inputs.push_back(&i);
  return inputs;
}

Converter::Converter(const read::ModelFile& file, Builder& builder, Tensors& tensors,
                     plugin::Registry& registry, const Options& options, Report& report)
    : file_(file),
      builder_(builder),
      tensors_(tensors),
      registry_(registry),
      options_(options),
      report_(report),
      budget_(file.model, file.name, options.budget) {
  for (const auto& f : file.model.functions())
    functions_[f.domain() + ":" + f.name() + ":" + f.overload()] = &f;
}

// An input of the model; its unknown extents become symbols of the names that the model gives.
static ValueId add_input(Builder& builder, const onnx::ValueInfoProto& input) {
  const ValueId id = builder.placeholder(input.name(), from_proto(input.type(), builder.syms));
  auto& dims = builder.value(id).type.dims;
  for (size_t k = 0; dims && k < dims->size(); k++)
    if (!(*dims)[k])
      (*dims)[k] =
          builder.syms.dim(id, static_cast<int64_t>(k),
                           input.type().tensor_type().shape().dim(static_cast<int>(k)).dim_param());
  return id;
}

std::vector<ValueId> Converter::lower_model(const prepare::Prepared& prepared) {
  const onnx::GraphProto& graph = file_.model.graph();
  tensors_.count_uses(graph);
  Scope scope;
  scope.opsets = &prepared.opsets;
  for (const onnx::ValueInfoProto* input : open_inputs(graph))
    scope.values[input->name()] = add_input(builder_, *input);
  builder_.on_append = [this] {
    budget_.count_node();
    if (budget_.spent()) throw HostError(O2FX_E_MODEL, budget_.spent()->what);
  };
  const Faults faults = lower_graph(graph, scope);
  builder_.on_append = nullptr;
  if (!faults.empty()) throw_faults(faults);
  return outputs_of(graph, scope);
}

// ---- nodes

Faults Converter::lower_node(const onnx::NodeProto& node, Scope& scope) {
  const auto import = scope.opsets->find(node.domain());
  const int64_t imported = import == scope.opsets->end() ? 1 : import->second;
  const Place place{node, file_.name, scope, prepare::opset_of(node, imported)};
  budget_.count_node();
  if (!budget_.spent()) {
    Faults faults = lower_affordable(place, scope);
    if (!budget_.spent()) return faults;
  }
  Fault f(Fault::Kind::kModel, place, "");
  f.diagnostic = *budget_.spent();
  return {f};
}

Faults Converter::lower_affordable(const Place& place, Scope& scope) {
  const onnx::NodeProto& node = place.node;
  std::vector<ValueId> inputs;
  bool after_fault = false;
  for (const std::string& name : node.input()) {
    inputs.push_back(name.empty() ? 0 : scope.find(name));
    if (name.empty()) continue;
    if (!inputs.back())
      return {
          Fault(Fault::Kind::kModel, place, "input '" + name + "': expected a value, got none")};
    after_fault |= builder_.value(inputs.back()).after_fault;
  }
  const NodeView view{
      node, inputs, place.opset,
      onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(place.opset), node.domain())};
  if (!after_fault || options_.keep_going) return lower_typed(place, view, scope);
  NodeOperands operands(builder_, tensors_, view);
  bind_stand_ins(place, infer(operands, view, nullptr), scope);
  return check_providers(place, view);
}

Faults Converter::lower_typed(const Place& place, const NodeView& view, Scope& scope) {
  Report::Node entry{place.name(),
                     place.node.op_type(),
                     place.domain(),
                     place.opset,
                     scope.function_path,
                     "none",
                     {},
                     {}};
  std::string problem;
  NodeOperands operands(builder_, tensors_, view);
  std::vector<Type> types = infer(operands, view, &problem);
  Faults faults;
  try {
    faults = lower_by_first(place, view, types, scope, entry);
  } catch (const HostError& e) {
    faults.emplace_back(
        e.status == O2FX_E_UNSUPPORTED ? Fault::Kind::kUnsupported : Fault::Kind::kModel, place,
        e.what(), std::vector<std::string>{e.what()});
  } catch (const PluginError& e) {
    if (!registry_.is_listing()) throw;
    faults.push_back(unsettled(place, e));
  }
  report_.nodes.push_back(std::move(entry));
  if (faults.empty() || budget_.spent()) return faults;
  if (!problem.empty()) faults[0].diagnostic.notes.push_back("ONNX's type inference: " + problem);
  if (!options_.keep_going) {
    bind_stand_ins(place, types, scope);
    return faults;
  }
  try {
    bind_opaque(place, view, types, scope);
  } catch (const HostError& e) {
    faults.emplace_back(Fault::Kind::kModel, place, e.what());
    bind_stand_ins(place, types, scope);
    return faults;
  }
  if (!can_stay_opaque(faults)) return faults;
  add_operators(faults, report_.unsupported);
  return {};
}

Faults Converter::lower_by_first(const Place& place, const NodeView& view, std::vector<Type>& types,
                                 Scope& scope, Report::Node& entry) {
  if (auto fault = switched_off(place)) return {std::move(*fault)};
  if (lower_by_tracking(view, types, scope, entry)) return {};
  std::vector<std::string> why_not;
  for (const plugin::Candidate& c :
       registry_.candidates(place.domain(), place.node.op_type(), place.opset, &why_not))
    if (auto faults = lower_by_plugin(c, place, view, types, scope, entry))
      return std::move(*faults);
  if (auto faults = lower_by_function(place, view, types, scope, entry)) return std::move(*faults);
  why_not.insert(why_not.end(), entry.declined.begin(), entry.declined.end());
  return {nobody_lowers(place, std::move(why_not))};
}

// Integers, and truths that are literals. Other floats than constants, and what is true of sizes,
// are lowered as well, for those who want the tensor.
static bool needs_no_node(const std::optional<std::vector<MaybeSym>>& elements, int32_t dtype) {
  const bool truths = dtype == onnx::TensorProto::BOOL;
  return elements && !is_tracked_float(dtype) &&
         std::all_of(elements->begin(), elements->end(),
                     [&](const MaybeSym& s) { return s && (!truths || s->is_literal()); });
}

// Whether a float of the file is a number of its arithmetic, and surely no weight: it stands in a
// Constant node, or was computed here from such ones and from sizes.
static bool is_number(Builder& builder, ValueId id) {
  const Value& v = builder.value(id);
  if (!is_tracked_float(v.type.dtype)) return true;
  if (v.source != ValueSource::kTensor) return false;
  const TensorEntry& t = builder.tensors()[v.tensor];
  const bool claimed = t.role != O2FX_ROLE_CONSTANT && t.role != O2FX_ROLE_DEFAULT;
  return t.in_node || !(t.proto || t.sparse || claimed);
}

// One float that follows from numbers alone becomes a constant, which takes on the module's type
// and device, as the code of the original does. -0.0 is no literal: of floats a zero may be one.
bool Converter::is_constant(const NodeView& view, const Type& type,
                            const std::optional<std::vector<MaybeSym>>& elements) {
  if (!elements || elements->size() != 1 || !is_tracked_float(type.dtype) || !type.dims)
    return false;
  size_t operands = view.inputs.size();
  if (view.proto.op_type() == "CastLike") operands = std::min<size_t>(operands, 1);
  bool of_floats = false;
  for (size_t k = 0; k < operands; k++) {
    if (!view.inputs[k]) continue;
    if (!is_number(builder_, view.inputs[k])) return false;
    of_floats |= is_tracked_float(builder_.value(view.inputs[k]).type.dtype);
  }
  return std::all_of(elements->begin(), elements->end(), [&](const MaybeSym& s) {
    const auto literal = s ? literal_of(builder_.syms, *s) : std::nullopt;
    return literal && !(of_floats && *literal == 0);
  });
}

ValueId Converter::add_constant(const Type& type, std::vector<MaybeSym> elements,
                                const std::string& name) {
  Value v;
  v.type = type;
  v.reals = std::move(elements);
  const ValueId id = tensors_.constant(constant_of(builder_.syms, v, name));
  builder_.value(id).reals = std::move(v.reals);
  return id;
}

bool Converter::lower_by_tracking(const NodeView& view, std::vector<Type>& types, Scope& scope,
                                  Report::Node& entry) {
  NodeOperands operands(builder_, tensors_, view);
  const auto known = tracked_elements(operands, view, types);
  for (int i = 0; i < view.proto.output_size(); i++) {
    const auto k = static_cast<size_t>(i);
    if (!view.proto.output(i).empty() && !needs_no_node(known[k], types[k].dtype) &&
        !is_constant(view, types[k], known[k]))
      return false;
  }
  for (int i = 0; i < view.proto.output_size(); i++) {
    const auto k = static_cast<size_t>(i);
    const std::string& name = view.proto.output(i);
    if (name.empty()) continue;
    scope.values[name] = is_tracked_float(types[k].dtype) ? add_constant(types[k], *known[k], name)
                                                          : builder_.add_ints(*known[k], types[k]);
  }
  entry.provider = "host: shape tracking";
  return true;
}

// What the lowering knows of the value comes first, then ONNX's inference, then the model's word.
void Converter::bind_output(const onnx::NodeProto& node, int index, ValueId id,
                            const Type& inferred, Scope& scope) {
  const std::string& name = node.output(index);
  Value& v = builder_.value(id);
  if (v.source == ValueSource::kNode) {
    Type merged = v.type;
    merge(merged, inferred);
    if (const onnx::TypeProto* hint = scope.declared_type(name)) {
      Type declared = from_proto(*hint, builder_.syms);
      if (declared.dims) declared.dims->assign(declared.dims->size(), MaybeSym());
      merge(merged, declared);
    }
    v.type = std::move(merged);
    v.proto.reset();
  }
  scope.values[name] = id;
}

EmitContext Converter::context_of(const Place& place, const plugin::Plugin* plugin) const {
  auto p = std::make_shared<fx::Provenance>();
  p->name = place.node.name();
  p->op_type = place.node.op_type();
  p->domain = place.domain();
  p->overload = place.node.overload();
  p->opset = place.opset;
  p->outputs.assign(place.node.output().begin(), place.node.output().end());
  for (const auto& m : place.node.metadata_props())
    p->metadata_props.emplace_back(m.key(), m.value());
  p->function_path = place.scope.function_path;
  EmitContext context;
  context.name_base = identifier(place.name());
  if (plugin) {
    p->plugin = plugin->id;
    p->plugin_version = plugin->version;
    context.allow_target = [plugin, anything = options_.allow_unresolved](const std::string& t) {
      const auto& declared = plugin->torch_targets;
      return anything || std::find(declared.begin(), declared.end(), t) != declared.end();
    };
  }
  context.provenance = std::move(p);
  return context;
}

// ---- what nobody lowers

Faults Converter::check_providers(const Place& place, const NodeView& view) {
  if (auto fault = switched_off(place)) return {std::move(*fault)};
  std::vector<std::string> why_not;
  const auto& candidates =
      registry_.candidates(place.domain(), place.node.op_type(), place.opset, &why_not);
  if (!candidates.empty() || function_body(place, view)) return {};
  return {nobody_lowers(place, std::move(why_not))};
}

std::optional<Fault> Converter::switched_off(const Place& place) const {
  const auto why = registry_.switched_off(place.domain(), place.node.op_type(), place.opset);
  if (!why) return {};
  return Fault(Fault::Kind::kUnsupported, place, *why, {*why});
}

// Without a reason nobody knows the operator.
Fault Converter::nobody_lowers(const Place& place, std::vector<std::string> why_not) const {
  Fault f(Fault::Kind::kUnsupported, place, "no loaded plugin lowers this operator",
          std::move(why_not));
  f.diagnostic.notes = f.op.reasons;
  if (f.op.reasons.empty())
    if (const auto near = registry_.similar(place.domain(), place.node.op_type())) {
      f.op.similar = *near;
      f.diagnostic.notes.push_back(*near);
    }
  return f;
}

Fault Converter::unsettled(const Place& place, const PluginError& why) {
  std::vector<std::string> reasons;
  for (const Diagnostic& d : why.diagnostics) {
    reasons.push_back(d.where + ": " + d.what);
    reasons.insert(reasons.end(), d.notes.begin(), d.notes.end());
  }
  const std::string what = reasons.front();
  return {Fault::Kind::kUnsupported, place, what, std::move(reasons)};
}

void Converter::bind_stand_ins(const Place& place, const std::vector<Type>& types, Scope& scope) {
  for (int k = 0; k < place.node.output_size(); k++) {
    if (place.node.output(k).empty()) continue;
    Value v;
    v.source = ValueSource::kNone;
    v.type = types[static_cast<size_t>(k)];
    v.after_fault = true;
    scope.values[place.node.output(k)] = builder_.add(std::move(v));
  }
}

void Converter::bind_opaque(const Place& place, const NodeView& view,
                            const std::vector<Type>& types, Scope& scope) {
  // Nobody can tell more than the model declares, and nothing of it will be run.
  std::vector<Type> stated = types;
  for (const ValueId id : view.inputs)
    if (id) text(builder_.type(id), builder_.syms);  // whose names it may use
  for (int k = 0; k < place.node.output_size(); k++)
    if (const onnx::TypeProto* declared = scope.declared_type(place.node.output(k)))
      merge(stated[static_cast<size_t>(k)], from_proto(*declared, builder_.syms));
  Transaction transaction(builder_, context_of(place, nullptr));
  const std::vector<ValueId> results = emit_opaque(builder_, view, place.domain(), stated);
  for (int k = 0; k < place.node.output_size(); k++) {
    if (place.node.output(k).empty()) continue;
    Value& v = builder_.value(results[static_cast<size_t>(k)]);
    v.type = stated[static_cast<size_t>(k)];
    v.after_fault = true;
    bind_output(place.node, k, results[static_cast<size_t>(k)], {}, scope);
  }
  transaction.commit();
}

}  // namespace onnx2fx::conversion
