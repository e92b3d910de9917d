// The verb `convert`: the road that a model takes, one line a stage.
#include "core/include/onnx2fx/convert.hpp"

#include <filesystem>

#include "core/api/installation.hpp"
#include "core/border/weight_source.hpp"
#include "core/convert/converter.hpp"
#include "core/convert/merged.hpp"
#include "core/convert/module.hpp"
#include "core/convert/removed_biases.hpp"
#include "core/fx/passes.hpp"
#include "core/plugin/manifest.hpp"
#include "core/plugin/registry.hpp"
#include "core/plugin/torch_libraries.hpp"
#include "core/prepare/input_shapes.hpp"
#include "core/prepare/prepare.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx {
namespace {

std::shared_ptr<weights::Store> open_weights(const read::ModelFile& file, const Options& options,
                                             plugin::Registry& registry, Conversion& c) {
  std::vector<std::string> roots = options.weight_roots;
  roots.insert(roots.end(), registry.weight_roots().begin(), registry.weight_roots().end());
  const auto warn = [&c](Diagnostic d) { c.report.warnings.push_back(std::move(d)); };
  weights::Sourcing sourcing = conversion::sourcing(registry, {options.seed, warn, options.debug});
  c.has_weight_rules = !sourcing.rules.empty();
  const std::string_view last = weights::kModeSources[static_cast<size_t>(options.weights)];
  if (!last.empty()) sourcing.rules.push_back(weights::last_rule(last));
  return std::make_shared<weights::Store>(file, roots, std::move(sourcing));
}

plugin::Options with_standard_plugins(plugin::Options options) {
  if (options.builtin_directory.empty()) options.builtin_directory = plugins_beside_library();
  return options;
}

void append(std::vector<Diagnostic>& all, const std::vector<Diagnostic>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

void report_plugins(const plugin::Registry& registry, Report& report) {
  append(report.warnings, registry.warnings());
  for (const plugin::Plugin* p : registry.loaded()) report.plugins.emplace_back(p->id, p->version);
}

void report_names(const fx::Module& module, Report& report) {
  for (const fx::Tensor& t : module.tensors)
    if (t.path != t.name) report.names.emplace_back(t.path, t.name);
  for (const auto* ports : {&module.inputs, &module.outputs})
    for (const fx::Port& p : *ports)
      if (p.name != p.onnx_name) report.names.emplace_back(p.name, p.onnx_name);
}

void report_opsets(const onnx::ModelProto& model, Report& report) {
  for (const onnx::OperatorSetIdProto& import : model.opset_import())
    report.opsets.emplace_back(import.domain(), import.version());
}

Conversion convert(read::ModelFile read, Options options, plugin::Registry* given) {
  Conversion c;
  const auto file = std::make_shared<read::ModelFile>(std::move(read));
  c.model = file;
  c.weights = options.weights;
  c.report.model = std::filesystem::path(file->name).filename().string();

  std::optional<plugin::Registry> own;
  plugin::Registry& registry = given ? *given : own.emplace(with_standard_plugins(options.plugins));
  options.keep_going |= registry.manifest().keeps_unsupported;
  conversion::find_served(*file, registry);
  const prepare::Prepared prepared = prepare::prepare(*file);
  prepare::give_shapes(*file, options.input_shapes);
  c.report.warnings = prepared.warnings;
  c.store = open_weights(*file, options, registry, c);
  conversion::part_merged(file->model, *c.store);
  conversion::restore_biases(*file->model.mutable_graph());

  conversion::Builder builder;
  conversion::Tensors tensors(builder, *c.store);
  conversion::Converter driver(*file, builder, tensors, registry, options, c.report);
  const auto outputs = driver.lower_model(prepared);
  c.module =
      conversion::make_module(file->model, outputs, builder, tensors, options, c.report.warnings);
  fx::run_passes(c.module, options);
  conversion::simplify(c.module, builder, tensors);
  conversion::find_bytes(c.module, builder, tensors, options.weights);
  if (options.blocks == Blocks::kNested && options.dialect == fx::Dialect::kNn)
    fx::nest_blocks(c.module);
  append(c.report.warnings, c.store->settle());
  c.module.sources = c.store->sources();
  c.module.torch_libraries =
      plugin::torch_libraries(c.module, registry.loaded(), c.report.warnings);

  report_opsets(file->model, c.report);
  report_plugins(registry, c.report);
  report_names(c.module, c.report);
  return c;
}

}  // namespace

std::span<const uint8_t> Conversion::bytes(const fx::TensorData& data) const {
  if (const auto* range = std::get_if<fx::FileRange>(&data.where))
    return store->source_bytes(range->source).subspan(range->offset, range->length);
  if (const auto* memory = std::get_if<std::shared_ptr<const std::string>>(&data.where))
    return {reinterpret_cast<const uint8_t*>((*memory)->data()), (*memory)->size()};
  return {};
}

Conversion convert(const std::string& path, const Options& options, plugin::Registry* registry) {
  return convert(read::read_file(path), options, registry);
}

Conversion convert(std::shared_ptr<const std::string> bytes, const std::string& name,
                   const std::string& directory, const Options& options,
                   plugin::Registry* registry) {
  return convert(read::read_bytes(std::move(bytes), name, directory), options, registry);
}

}  // namespace onnx2fx
