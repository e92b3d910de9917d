#include "tools/onnx2fx/dry_lowering.hpp"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <memory>

#include "core/include/onnx2fx/convert.hpp"
#include "core/plugin/descriptor.hpp"
#include "core/plugin/registry.hpp"
#include "core/plugin/table.hpp"

namespace onnx2fx::cli {
namespace {

std::string text(o2fx_str s) { return {s.data, s.len}; }

std::shared_ptr<const std::string> model_of(const o2fx_op& op, int n_inputs) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  const auto import = [&](const std::string& domain, int64_t version) {
    auto* opset = model.add_opset_import();
    opset->set_domain(domain);
    opset->set_version(version);
  };
  const std::string domain = text(op.domain);
  import(domain, op.since_opset);
  if (!domain.empty()) import("", 17);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name("dry");
  onnx::NodeProto& node = *graph.add_node();
  node.set_domain(domain);
  node.set_op_type(text(op.op_type));
  for (int i = 0; i < n_inputs; i++) {
    auto* input = graph.add_input();
    input->set_name("x" + std::to_string(i));
    auto* type = input->mutable_type()->mutable_tensor_type();
    type->set_elem_type(onnx::TensorProto::FLOAT);
    for (const int64_t extent : {2, 3}) type->mutable_shape()->add_dim()->set_dim_value(extent);
    node.add_input(input->name());
  }
  graph.add_output()->set_name("y");
  node.add_output("y");
  return std::make_shared<const std::string>(model.SerializeAsString());
}

/// It says no more than that there were too many inputs.
bool is_of_inputs_made_up(const PluginError& e) {
  return std::all_of(e.diagnostics.begin(), e.diagnostics.end(), [](const Diagnostic& d) {
    return d.what.find("it is present, but plugin") != std::string::npos;
  });
}

DryLowering lower_row(const o2fx_op& op, plugin::Registry& registry) {
  DryLowering dry{
      fmt::format("{} since {}", plugin::shown(text(op.domain), text(op.op_type)), op.since_opset),
      {},
      false};
  std::string refusal;
  Options options;
  options.allow_unresolved = true;
  for (const int n_inputs : {1, 2, 3, 4, 0}) {
    try {
      convert(model_of(op, n_inputs), "dry", "", options, &registry);
      return {dry.row, fmt::format("lowered with {} input{}", n_inputs, n_inputs == 1 ? "" : "s"),
              false};
    } catch (const PluginError& e) {
      if (!is_of_inputs_made_up(e)) dry.outcome = e.diagnostics[0].what;
    } catch (const ConversionError& e) {
      refusal = e.diagnostics[0].what;
    }
  }
  dry.is_fault = refusal.empty() && !dry.outcome.empty();
  if (!dry.is_fault) dry.outcome = "refused" + (refusal.empty() ? "" : ": " + refusal);
  return dry;
}

}  // namespace

std::vector<DryLowering> lower_dry(const o2fx_plugin* table) {
  plugin::Options options;
  options.default_plugins = false;
  plugin::Registry registry(options, plugin::Registry::Faults::kThrown, {{table, {}}});
  std::vector<DryLowering> all;
  const o2fx_plugin accepted = plugin::accepted_table(table, "plugin");
  for (const o2fx_op* op : plugin::rows(accepted)) all.push_back(lower_row(*op, registry));
  return all;
}

}  // namespace onnx2fx::cli
