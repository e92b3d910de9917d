// Converter: one node lowered by one plugin, and the plugin held to the border's rules.
#include "core/build/operands.hpp"
#include "core/convert/converter.hpp"
#include "core/plugin/alone.hpp"
#include "core/shapes/real.hpp"

namespace onnx2fx::conversion {
namespace {

// The status and text that a lowering ends with, and whether the plugin broke a rule.
struct Ending {
  o2fx_status status = O2FX_OK;
  std::string text;
  bool broken = false;
};

// After O2FX_OK: every output set, every input and attribute read, every program ended. The last
// thing found counts.
Ending check_done(const Lowering& l) {
  const onnx::NodeProto& node = l.node.proto;
  Ending e;
  const auto broken = [&](const std::string& what) { e = {O2FX_E_INVALID, what, true}; };
  for (int k = 0; k < node.output_size(); k++)
    if (!node.output(k).empty() && !l.outputs[static_cast<size_t>(k)])
      broken("output " + std::to_string(k) + ": plugin " + l.plugin.id + " did not set it");
  for (size_t k = 0; k < l.node.inputs.size(); k++)
    if (l.node.inputs[k] && !l.input_read[k])
      broken("input " + std::to_string(k) + ": it is present, but plugin " + l.plugin.id +
             " never read it");
  for (const auto& a : node.attribute()) {
    if (l.attribute_read.count(a.name())) continue;
    if (l.node.schema && !l.node.schema->attributes().contains(a.name()))
      e = {O2FX_E_MODEL, "attribute '" + a.name() + "': the operator has none of that name",
           e.broken};
    else
      broken("attribute '" + a.name() + "': it is present, but plugin " + l.plugin.id +
             " never read it");
  }
  if (l.builder.depth() != l.base_depth)
    broken("plugin " + l.plugin.id + " began a program and did not end it");
  return e;
}

Ending ending_of(const Lowering& l, o2fx_status status) {
  if (status == O2FX_OK) return check_done(l);
  Ending e{status, l.error_status == status ? l.error : "", false};
  if (status == O2FX_DECLINE) return e;
  if (status > 0)
    e.text = "plugin " + l.plugin.id + " returned status " + std::to_string(status);
  else if (e.text.empty())
    e.text =
        "plugin " + l.plugin.id + " returned status " + std::to_string(status) + " without a text";
  return e;
}

Fault::Kind kind_of(const Lowering& l, const Ending& e) {
  if (e.status == O2FX_E_UNSUPPORTED) return Fault::Kind::kUnsupported;
  if (e.broken || e.status == O2FX_E_INVALID || e.status == O2FX_E_SCHEMA ||
      e.status == O2FX_E_INTERNAL || e.status > 0)
    return Fault::Kind::kPlugin;
  return e.status == O2FX_E_IO && l.absent ? Fault::Kind::kAbsent : Fault::Kind::kModel;
}

// The first value that the lowering was told no type of, an input if there is one.
Builder::Unknown unknown_behind(const Lowering& l) {
  for (size_t k = 0; k < l.node.inputs.size(); k++) {
    const auto asked = std::find(l.untyped.begin(), l.untyped.end(), l.node.inputs[k]);
    if (asked == l.untyped.end()) continue;
    if (Builder::Unknown u = l.builder.describe_unknown(*asked); !u.why.empty())
      return {"input " + std::to_string(k) + " '" + l.node.proto.input(static_cast<int>(k)) +
                  "': " + u.why,
              u.input};
  }
  for (const ValueId id : l.untyped) {
    if (!l.builder.alive(id)) continue;
    if (Builder::Unknown u = l.builder.describe_unknown(id); !u.why.empty())
      return {"a value of its own: " + u.why, u.input};
  }
  return {};
}

// Why a type was not known, and what the user can do about it.
void explain_unknown(const Builder::Unknown& u, const onnx::GraphProto& graph, Fault& f) {
  if (u.why.empty()) return;
  f.diagnostic.notes.push_back(u.why);
  if (!u.input) return;
  const std::string& name = open_inputs(graph)[*u.input]->name();
  f.kind = Fault::Kind::kUntyped;
  f.diagnostic.notes.push_back("give it a shape: --input-shape '" + name +
                               "=DIM,DIM,...', in Python input_shapes={'" + name +
                               "': (DIM, DIM, ...)}; a DIM is a number, a name or ?");
}

Fault fault_of(const Lowering& l, const Ending& e, const Place& place, const read::ModelFile& file,
               bool debug) {
  Fault f(kind_of(l, e), place, e.text, {l.plugin.id + ": " + e.text});
  if (f.kind == Fault::Kind::kAbsent)
    f.diagnostic.notes.push_back(
        std::string(file.directory.empty() ? "give the model as a path, with the file beside it"
                                           : "put the file beside the model") +
        ", or keep the node as an opaque one with --keep-going");
  if (f.kind == Fault::Kind::kUnsupported)
    explain_unknown(unknown_behind(l), file.model.graph(), f);
  if (f.kind == Fault::Kind::kPlugin)
    f.diagnostic.notes.push_back("this is a fault of plugin " + l.plugin.id + " " +
                                 l.plugin.version);
  if (debug && !l.error_place.empty()) f.diagnostic.notes.push_back("raised at " + l.error_place);
  return f;
}

}  // namespace

std::optional<Faults> Converter::lower_by_plugin(const plugin::Candidate& candidate,
                                                 const Place& place, const NodeView& view,
                                                 const std::vector<Type>& types, Scope& scope,
                                                 Report::Node& entry) {
  plugin::Plugin& plugin = *candidate.plugin;
  start(plugin, [&](Diagnostic d) { warn(std::move(d)); });
  const plugin::Alone alone(plugin);
  Transaction transaction(builder_, context_of(place, &plugin));
  NodeGraphs graphs(*this, place);
  Lowering lowering(plugin, view, place.where(), builder_, tensors_, graphs);
  const o2fx_status status =
      candidate.row->lower(host_api(), lowering.token(), candidate.row->op_user);
  if (graphs.after_fault && graphs.faults.empty() && !options_.keep_going) {
    transaction.commit();
    bind_stand_ins(place, types, scope);
    return Faults();
  }
  const Ending ending = ending_of(lowering, status);
  if (ending.status == O2FX_DECLINE) {
    entry.declined.push_back(plugin.id + " declined" +
                             (ending.text.empty() ? "" : ": " + ending.text));
    return {};
  }
  if (ending.status != O2FX_OK) {
    if (!graphs.faults.empty()) return std::move(graphs.faults);
    return Faults{fault_of(lowering, ending, place, file_, options_.debug)};
  }
  take_outputs(lowering, types, scope);
  entry.provider = plugin.id + " " + plugin.version;
  for (Call::Note& n : lowering.notes) {
    if (n.is_warning())
      warn({Severity::kWarning, place.where(), n.text, {"from plugin " + plugin.id}});
    entry.notes.emplace_back(std::move(n.key), std::move(n.text));
  }
  transaction.commit();
  return Faults{};
}

void Converter::warn(Diagnostic d) {
  if (warned_.insert(format(d)).second) report_.warnings.push_back(std::move(d));
}

void Converter::take_outputs(const Lowering& lowering, const std::vector<Type>& types,
                             Scope& scope) {
  const NodeView& view = lowering.node;
  std::vector<Type> tracked_types = types;
  NodeOperands operands(builder_, tensors_, view);
  const auto known = tracked_elements(operands, view, tracked_types);
  for (int i = 0; i < view.proto.output_size(); i++) {
    if (view.proto.output(i).empty()) continue;
    const auto k = static_cast<size_t>(i);
    bind_output(view.proto, i, lowering.outputs[k], types[k], scope);
    Value& v = builder_.value(lowering.outputs[k]);
    if (v.source != ValueSource::kNode) continue;
    if (known[k] && !v.ints) {
      merge(v.type, tracked_types[k]);
      (is_tracked_float(v.type.dtype) ? v.reals : v.ints) = *known[k];
    }
    if (!v.absent) v.absent = absent_behind(builder_, view, v.type);
    if (is_whole_shape(view) && !v.ints) v.shape_of = view.inputs[0];
  }
}

}  // namespace onnx2fx::conversion
