// The sources of weights that plugins offer, for the store: o2fx_weights_ext on one side,
// weights::Source on the other. A plugin that breaks its contract becomes an error that names it.
#ifndef ONNX2FX_CORE_BORDER_WEIGHT_SOURCE_HPP_
#define ONNX2FX_CORE_BORDER_WEIGHT_SOURCE_HPP_

#include <cstdint>
#include <functional>
#include <memory>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/registry.hpp"
#include "core/weights/source.hpp"

namespace onnx2fx::conversion {

/// What a source needs of the conversion that it serves.
struct SourceContext {
  uint64_t seed = 0;
  std::function<void(Diagnostic)> warn;  ///< what plugins log as errors and warnings
  bool debug = false;  ///< faults say where in the plugin's source they were raised
};

/// Opens a source of `plugin`, which serves opening.scheme. Throws ConversionError without a place,
/// or PluginError.
std::unique_ptr<weights::Source> open_source(plugin::Plugin& plugin, weights::Opening opening,
                                             const SourceContext& context);

/// Marks the external data of the model whose locations a source of a plugin reads.
void find_served(read::ModelFile& file, const plugin::Registry& registry);

/// The rules of the registry's manifest and the sources of its plugins. Outlived by the registry.
/// Throws PluginError for a rule whose source nobody serves.
weights::Sourcing sourcing(plugin::Registry& registry, SourceContext context);

}  // namespace onnx2fx::conversion

#endif
