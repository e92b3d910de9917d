// The verb `convert`: read, prepare, convert. (`write_package` is in core/write/package.cpp.)
#include "core/include/onnx2fx/convert.hpp"

#include "core/border/weight_source.hpp"
#include "core/convert/converter.hpp"
#include "core/plugin/registry.hpp"
#include "core/prepare/prepare.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx {
namespace {

struct Model {
  read::ModelFile file;
};

Conversion convert_file(const std::shared_ptr<Model>& model, const Options& options,
                        plugin::Registry* registry) {
  const prepare::Prepared prepared = prepare::prepare(model->file);
  std::unique_ptr<plugin::Registry> own;
  if (!registry) {
    own = std::make_unique<plugin::Registry>(options.plugins);
    registry = own.get();
  }
  Conversion c;
  c.weights = options.weights;
  conversion::Converter* running = nullptr;
  std::vector<std::string> roots = options.weight_roots;
  roots.insert(roots.end(), registry->weight_roots().begin(), registry->weight_roots().end());
  weights::Sourcing sourcing = plugin::sourcing(
      *registry, {options.seed, [&running](plugin::Plugin& p) { running->start(p); },
                  [&c](Diagnostic d) { c.report.warnings.push_back(std::move(d)); }});
  c.has_weight_rules = !sourcing.rules.empty();
  c.store = std::make_shared<weights::Store>(model->file, options.weights, std::move(roots),
                                             std::move(sourcing));
  c.model = model;
  conversion::Converter converter(model->file, *c.store, *registry, options);
  running = &converter;
  c.module = converter.run(prepared, c.report);
  for (const Diagnostic& w : registry->warnings()) c.report.warnings.push_back(w);
  for (const plugin::Plugin* p : registry->loaded())
    c.report.plugins.emplace_back(p->id, p->version);
  for (const fx::Tensor& t : c.module.tensors)
    if (t.path != t.name) c.report.names.emplace_back(t.path, t.name);
  for (const auto* ports : {&c.module.inputs, &c.module.outputs})
    for (const fx::Port& p : *ports)
      if (p.name != p.onnx_name) c.report.names.emplace_back(p.name, p.onnx_name);
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
  auto model = std::make_shared<Model>();
  model->file = read::read_file(path);
  return convert_file(model, options, registry);
}

Conversion convert(std::shared_ptr<const std::string> bytes, const std::string& name,
                   const std::string& directory, const Options& options,
                   plugin::Registry* registry) {
  auto model = std::make_shared<Model>();
  model->file = read::read_bytes(std::move(bytes), name, directory);
  return convert_file(model, options, registry);
}

}  // namespace onnx2fx
