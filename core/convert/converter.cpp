#include "core/convert/converter.hpp"

#include <algorithm>

#include "core/border/lowering.hpp"
#include "core/build/names.hpp"
#include "core/convert/opaque.hpp"

namespace onnx2fx::conversion {
namespace {

constexpr int kMaxDepth = 64;

std::string qualified(const std::string& domain, const std::string& op) {
  return domain.empty() ? op : domain + "." + op;
}

Diagnostic error(const std::string& where, const std::string& what) {
  return {Severity::kError, where, what, {}};
}

}  // namespace

std::string node_name(const onnx::NodeProto& n) {
  if (!n.name().empty()) return n.name();
  for (const std::string& o : n.output())
    if (!o.empty()) return o;
  return n.op_type();
}

ValueId Scope::find(const std::string& name) const {
  for (const Scope* s = this; s; s = s->parent)
    if (const auto it = s->values.find(name); it != s->values.end()) return it->second;
  return 0;
}

Converter::Converter(read::ModelFile& file, weights::Store& s, plugin::Registry& registry,
                     const Options& o)
    : budget(file.model, file.name, o.budget),
      store(s),
      options(o),
      file_(file),
      registry_(registry) {
  for (const auto& f : file.model.functions())
    functions_[f.domain() + ":" + f.name() + ":" + f.overload()] = &f;
}

int Converter::use_count(const std::string& name) const {
  const auto it = uses_.find(name);
  return it == uses_.end() ? 0 : it->second;
}

void Converter::count_uses(const onnx::GraphProto& graph) {
  for (const auto& n : graph.node()) {
    for (const std::string& i : n.input()) uses_[i]++;
    for (const auto& a : n.attribute()) {
      if (a.has_g()) count_uses(a.g());
      for (const auto& g : a.graphs()) count_uses(g);
    }
  }
  for (const auto& o : graph.output()) uses_[o.name()]++;
}

// ---- tensors of the model

ValueId Converter::model_tensor(const onnx::TensorProto& tensor, const std::string& name) {
  if (const auto it = model_tensors_.find(&tensor);
      it != model_tensors_.end() && builder.alive(it->second))
    return it->second;
  TensorEntry t;
  t.name = name;
  t.dtype = tensor.data_type();
  t.dims.assign(tensor.dims().begin(), tensor.dims().end());
  t.proto = &tensor;
  t.uses = use_count(name);
  const bool in_file = read::weight_index(tensor) >= 0 && is_small_integer(tensor);
  std::shared_ptr<const Absent> missing = in_file ? absent(t) : nullptr;
  const ValueId id = builder.add_tensor(std::move(t));
  Value& v = builder.value(id);
  v.ints = in_file && !missing ? constant_ints(tensor, store.bytes(tensor, name))
                               : constant_ints(tensor);
  v.absent = std::move(missing);
  return model_tensors_[&tensor] = id;
}

ValueId Converter::dense_tensor(const onnx::SparseTensorProto& tensor, const std::string& name) {
  if (const auto it = model_tensors_.find(&tensor);
      it != model_tensors_.end() && builder.alive(it->second))
    return it->second;
  TensorEntry t;
  t.name = name;
  t.dtype = tensor.values().data_type();
  t.dims.assign(tensor.dims().begin(), tensor.dims().end());
  t.sparse = &tensor;
  t.uses = use_count(name);
  return model_tensors_[&tensor] = builder.add_tensor(std::move(t));
}

std::span<const uint8_t> Converter::bytes(TensorEntry& t) {
  if (t.proto) return store.bytes(*t.proto, t.name);
  if (!t.bytes) t.bytes = std::make_shared<const std::string>(store.dense(*t.sparse));
  return {reinterpret_cast<const uint8_t*>(t.bytes->data()), t.bytes->size()};
}

std::shared_ptr<const Absent> Converter::absent(const TensorEntry& t) {
  std::vector<const onnx::TensorProto*> parts;
  if (t.proto) parts = {t.proto};
  if (t.sparse) parts = {&t.sparse->values(), &t.sparse->indices()};
  for (const onnx::TensorProto* part : parts)
    if (auto file = store.absent_file(*part, t.name))
      return std::make_shared<const Absent>(Absent{t.name, std::move(*file)});
  return nullptr;
}

void Converter::declare(const onnx::GraphProto& graph, Scope& scope) {
  for (const auto& t : graph.initializer()) scope.values[t.name()] = model_tensor(t, t.name());
  for (const auto& t : graph.sparse_initializer())
    scope.values[t.values().name()] = dense_tensor(t, t.values().name());
  for (const auto& v : graph.value_info()) scope.declared[v.name()] = &v.type();
  for (const auto& v : graph.output())
    if (v.has_type()) scope.declared[v.name()] = &v.type();
}

// ---- graphs

Faults Converter::lower_graph(const onnx::GraphProto& graph, Scope& scope) {
  Faults all;
  if (++depth_ > kMaxDepth)
    throw ConversionError(file_.name,
                          "graphs and functions nest deeper than " + std::to_string(kMaxDepth));
  declare(graph, scope);
  scope.nodes = &graph.node();
  for (const auto& node : graph.node()) {
    Faults f = lower_node(node, scope);
    all.insert(all.end(), std::make_move_iterator(f.begin()), std::make_move_iterator(f.end()));
  }
  --depth_;
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

// ---- nodes

std::shared_ptr<const fx::Provenance> Converter::provenance(const Place& place, const Scope& scope,
                                                            const plugin::Plugin* plugin) {
  auto p = std::make_shared<fx::Provenance>();
  p->name = place.node.name();
  p->op_type = place.node.op_type();
  p->domain = place.domain;
  p->overload = place.node.overload();
  p->opset = place.opset;
  p->outputs.assign(place.node.output().begin(), place.node.output().end());
  for (const auto& m : place.node.metadata_props())
    p->metadata_props.emplace_back(m.key(), m.value());
  p->function_path = scope.function_path;
  if (plugin) {
    p->plugin = plugin->id;
    p->plugin_version = plugin->version;
  }
  return p;
}

void Converter::bind(const onnx::NodeProto& node, int index, ValueId id, const Type* inferred,
                     Scope& scope) {
  const std::string& name = node.output(index);
  Value& v = builder.value(id);
  if (v.source == ValueSource::kNode) {
    Type merged = v.type;
    if (inferred) merge(merged, *inferred);
    for (const Scope* s = &scope; s; s = s->parent) {
      const auto hint = s->declared.find(name);
      if (hint == s->declared.end()) continue;
      Type declared = from_proto(*hint->second, builder.syms);
      if (declared.dims) declared.dims->assign(declared.dims->size(), MaybeSym());
      merge(merged, declared);
      break;
    }
    v.type = std::move(merged);
    v.proto.reset();
  }
  scope.values[name] = id;
}

Faults Converter::lower_node(const onnx::NodeProto& node, Scope& scope) {
  budget.count_node();
  if (!budget.spent()) {
    Faults faults = lower_affordable(node, scope);
    if (!budget.spent()) return faults;
  }
  return {{*budget.spent(), false, false, node.domain(), node.op_type(), node_name(node), 0, {}}};
}

Faults Converter::lower_affordable(const onnx::NodeProto& node, Scope& scope) {
  const std::string domain = node.domain();
  const auto import = scope.opsets->find(domain);
  const int64_t opset = import == scope.opsets->end() ? 1 : import->second;
  const Place place{node,
                    file_.name + ": node '" + node_name(node) + "' (" +
                        qualified(domain, node.op_type()) + ", opset " + std::to_string(opset) +
                        ")" +
                        (scope.function_path.empty() ? "" : " in function " + scope.function_path),
                    domain, opset};
  std::vector<ValueId> inputs;
  bool tainted = false;
  for (const std::string& name : node.input()) {
    inputs.push_back(name.empty() ? 0 : scope.find(name));
    if (!name.empty() && !inputs.back())
      return {{error(place.where, "input '" + name + "': expected a value, got none"),
               false,
               false,
               domain,
               node.op_type(),
               node_name(node),
               opset,
               {}}};
    if (inputs.back()) tainted |= builder.value(inputs.back()).tainted;
  }
  const onnx::OpSchema* schema =
      onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(opset), domain);
  const NodeView view{node, inputs, opset, schema};
  if (tainted && !options.keep_going) {
    taint(node, infer(builder, view, nullptr), scope, nullptr, view);
    return only_check_providers(place, view);
  }
  return lower_sound(place, view, scope);
}

bool Converter::bind_tracked(const NodeView& view, std::vector<Type>& types, Scope& scope,
                             Report::Node& entry) {
  const auto ints = track(builder, view, types);
  for (int i = 0; i < view.proto.output_size(); i++) {
    const auto& r = ints[static_cast<size_t>(i)];
    if (view.proto.output(i).empty()) continue;
    if (!r || std::any_of(r->begin(), r->end(), [](const MaybeSym& s) { return !s; })) return false;
  }
  for (int i = 0; i < view.proto.output_size(); i++)
    if (!view.proto.output(i).empty())
      scope.values[view.proto.output(i)] =
          builder.add_ints(*ints[static_cast<size_t>(i)], types[static_cast<size_t>(i)]);
  entry.provider = "host: shape tracking";
  return true;
}

// Whoever comes first: the host for shape arithmetic, the providers in their order, the function
// body.
Faults Converter::provide(const Place& place, const NodeView& view, std::vector<Type>& types,
                          Scope& scope, Report::Node& entry) {
  const std::string& op_type = place.node.op_type();
  if (auto fault = forbidden(place)) return {std::move(*fault)};
  if (bind_tracked(view, types, scope, entry)) return {};
  std::vector<std::string> why_not;
  for (const plugin::Candidate& c :
       registry_.candidates(place.domain, op_type, place.opset, &why_not))
    if (auto result = ask(c, place, view, types, scope, entry)) return std::move(*result);
  if (auto result = expand_function(place, view, types, scope, entry)) return std::move(*result);
  why_not.insert(why_not.end(), entry.declined.begin(), entry.declined.end());
  return {unsupported(place, std::move(why_not))};
}

Faults Converter::lower_sound(const Place& place, const NodeView& view, Scope& scope) {
  Report::Node entry{node_name(place.node),
                     place.node.op_type(),
                     place.domain,
                     place.opset,
                     scope.function_path,
                     "none",
                     {},
                     {}};
  std::string problem;
  std::vector<Type> types = infer(builder, view, &problem);
  Faults faults;
  try {
    faults = provide(place, view, types, scope, entry);
  } catch (const HostError& e) {
    faults.push_back({error(place.where, e.what()),
                      e.status == O2FX_E_UNSUPPORTED,
                      false,
                      place.domain,
                      place.node.op_type(),
                      node_name(place.node),
                      place.opset,
                      {e.what()}});
  }
  if (budget.spent()) return faults;
  if (!faults.empty()) {
    if (!problem.empty()) faults[0].diagnostic.notes.push_back("ONNX's type inference: " + problem);
    taint(place.node, types, scope, options.keep_going ? &place : nullptr, view);
  }
  report_->nodes.push_back(std::move(entry));
  const auto fatal = [](const Fault& f) { return !f.unsupported && !f.absent; };
  if (!options.keep_going || std::any_of(faults.begin(), faults.end(), fatal)) return faults;
  for (Fault& f : faults) f.unsupported = true;
  keep(group(faults), *report_);
  return {};
}

void Converter::start(plugin::Plugin& plugin) {
  plugin::begin_use(plugin, [&] {
    if (!plugin.table->init) return;
    Lowering l(*this, plugin, nullptr, nullptr);
    if (const o2fx_status s = plugin.table->init(host_api(), l.token()); s != O2FX_OK)
      throw PluginError(
          plugin.library.empty() ? plugin.id : plugin.library,
          "init failed: " + (l.error.empty() ? "status " + std::to_string(s) : l.error));
  });
}

// nullopt: declined.
std::optional<Faults> Converter::ask(const plugin::Candidate& candidate, const Place& place,
                                     const NodeView& view, const std::vector<Type>& types,
                                     Scope& scope, Report::Node& entry) {
  plugin::Plugin& plugin = *candidate.plugin;
  start(plugin);
  const auto alone = plugin::alone(plugin);
  const onnx::NodeProto& node = place.node;
  const Builder::Mark mark = builder.mark();
  std::map<ValueId, ValueId> replaced;
  std::swap(replaced, builder.replaced);
  const auto outer_allow_target = builder.allow_target;
  builder.allow_target = [&plugin, this](const std::string& target) {
    return options.allow_unresolved ||
           std::find(plugin.torch_targets.begin(), plugin.torch_targets.end(), target) !=
               plugin.torch_targets.end();
  };
  builder.set_provenance(provenance(place, scope, &plugin), identifier(node_name(node)));
  Lowering l(*this, plugin, &view, &scope);
  o2fx_status status = candidate.row->lower(host_api(), l.token(), candidate.row->op_user);
  std::string text = l.error_status == status ? l.error : "";
  bool broken = false;
  if (status == O2FX_OK) {
    const auto refuse = [&](const std::string& what) {
      status = O2FX_E_INVALID;
      text = what;
      broken = true;
    };
    for (int k = 0; k < node.output_size(); k++)
      if (!node.output(k).empty() && !l.outputs[static_cast<size_t>(k)])
        refuse("output " + std::to_string(k) + ": plugin " + plugin.id + " did not set it");
    for (size_t k = 0; k < view.inputs.size(); k++)
      if (view.inputs[k] && !l.input_read[k])
        refuse("input " + std::to_string(k) + ": it is present, but plugin " + plugin.id +
               " never read it");
    for (const auto& a : node.attribute()) {
      if (l.attribute_read.count(a.name())) continue;
      if (view.schema && !view.schema->attributes().contains(a.name())) {
        status = O2FX_E_MODEL;
        text = "attribute '" + a.name() + "': the operator has none of that name";
        continue;
      }
      refuse("attribute '" + a.name() + "': it is present, but plugin " + plugin.id +
             " never read it");
    }
    if (builder.depth() != l.base_depth)
      refuse("plugin " + plugin.id + " began a program and did not end it");
  }
  std::optional<Faults> result{Faults{}};
  if (status != O2FX_OK) {
    builder.rollback(mark);
    if (status == O2FX_DECLINE) {
      entry.declined.push_back(plugin.id + " declined" + (text.empty() ? "" : ": " + text));
      result.reset();
    } else if (!l.nested.empty()) {
      result = l.nested;
    } else {
      if (text.empty())
        text = "plugin " + plugin.id + " returned status " + std::to_string(status) +
               " without a text";
      if (status > 0) text = "plugin " + plugin.id + " returned status " + std::to_string(status);
      Fault f{error(place.where, text),
              status == O2FX_E_UNSUPPORTED,
              broken || status == O2FX_E_INVALID || status == O2FX_E_SCHEMA ||
                  status == O2FX_E_INTERNAL || status > 0,
              place.domain,
              node.op_type(),
              node_name(node),
              place.opset,
              {plugin.id + ": " + text}};
      if (status == O2FX_E_IO && l.absent) {
        f.absent = true;
        f.diagnostic.notes.push_back(
            std::string(file_.directory.empty()
                            ? "give the model as a path, with the file beside it"
                            : "put the file beside the model") +
            ", or keep the node as an opaque one with --keep-going");
      }
      if (f.plugin)
        f.diagnostic.notes.push_back("this is a fault of plugin " + plugin.id + " " +
                                     plugin.version);
      result->push_back(std::move(f));
    }
  } else {
    for (int k = 0; k < node.output_size(); k++)
      if (!node.output(k).empty())
        bind(node, k, l.outputs[static_cast<size_t>(k)], &types[static_cast<size_t>(k)], scope);
    const auto ints = [&] {
      std::vector<Type> copy = types;
      return track(builder, view, copy);
    }();
    for (int k = 0; k < node.output_size(); k++) {
      const auto& known = ints[static_cast<size_t>(k)];
      if (node.output(k).empty()) continue;
      Value& v = builder.value(l.outputs[static_cast<size_t>(k)]);
      if (v.source != ValueSource::kNode) continue;
      if (known && !v.ints) v.ints = *known;
      if (!v.absent) v.absent = absent_behind(builder, view, v.type);
    }
    entry.provider = plugin.id + " " + plugin.version;
    entry.notes = l.notes;
  }
  builder.set_provenance(mark.provenance, mark.name_base);
  builder.allow_target = outer_allow_target;
  std::swap(replaced, builder.replaced);
  return result;
}

Faults Converter::only_check_providers(const Place& place, const NodeView& view) {
  if (auto fault = forbidden(place)) return {std::move(*fault)};
  std::vector<std::string> why_not;
  if (!registry_.candidates(place.domain, place.node.op_type(), place.opset, &why_not).empty() ||
      function_body(place, view))
    return {};
  return {unsupported(place, std::move(why_not))};
}

// By the manifest.
std::optional<Fault> Converter::forbidden(const Place& place) {
  const auto why = registry_.switched_off(place.domain, place.node.op_type(), place.opset);
  if (!why) return {};
  Fault f = unsupported(place, {});
  f.diagnostic.what = *why;
  f.reasons = {*why};
  return f;
}

Fault Converter::unsupported(const Place& place, std::vector<std::string> reasons) {
  Fault f{error(place.where, "no loaded plugin lowers this operator"),
          true,
          false,
          place.domain,
          place.node.op_type(),
          node_name(place.node),
          place.opset,
          std::move(reasons)};
  for (const std::string& r : f.reasons) f.diagnostic.notes.push_back(r);
  return f;
}

void Converter::taint(const onnx::NodeProto& node, const std::vector<Type>& types, Scope& scope,
                      const Place* opaque, const NodeView& view) {
  std::vector<ValueId> results;
  if (opaque) {
    const Builder::Mark mark = builder.mark();
    builder.set_provenance(provenance(*opaque, scope, nullptr), identifier(node_name(node)));
    results = emit_opaque(builder, view, opaque->domain);
    builder.set_provenance(mark.provenance, mark.name_base);
  }
  for (int k = 0; k < node.output_size(); k++) {
    if (node.output(k).empty()) continue;
    if (opaque) {
      Value& v = builder.value(results[static_cast<size_t>(k)]);
      v.type = types[static_cast<size_t>(k)];
      v.tainted = true;
      bind(node, k, results[static_cast<size_t>(k)], nullptr, scope);
    } else {
      Value v;
      v.source = ValueSource::kNone;
      v.type = types[static_cast<size_t>(k)];
      v.tainted = true;
      scope.values[node.output(k)] = builder.add(std::move(v));
    }
  }
}

}  // namespace onnx2fx::conversion
