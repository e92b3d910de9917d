// Who serves a scheme of weights, and which scheme serves a location: the rules of sdk/ABI.md, on
// descriptors alone.
#ifndef ONNX2FX_CORE_PLUGIN_SCHEME_CHOICE_HPP_
#define ONNX2FX_CORE_PLUGIN_SCHEME_CHOICE_HPP_

#include <string>
#include <vector>

#include "core/plugin/choice.hpp"

namespace onnx2fx::plugin {

/// The plugin of a scheme. `wanted_by` opens the message ("m.json at /weights/sources/0", or
/// "scheme 'xor'"); plugin: its id if that is settled, else empty. Throws PluginError: nobody
/// serves it, or several do and no loader settles it.
const Provider& choose_scheme(const std::vector<const Provider*>& providers,
                              const Configuration& configuration, const std::string& scheme,
                              const std::string& plugin, const std::string& wanted_by);

/// Throws PluginError unless the rule has a location where its source reads a file, and none where
/// it does not.
void require_location(const Provider& chosen, const weights::Rule& rule);

/// For the location of a rule that names no scheme: by its suffix. Throws PluginError as above.
weights::Served served_by_suffix(const std::vector<const Provider*>& providers,
                                 const Configuration& configuration, const std::string& location,
                                 const std::string& wanted_by);

/// For a location of the model: "xor:w.bin" if somebody serves xor, or a suffix that the manifest's
/// loaders name; else a plain file.
weights::Served served_in_model(const std::vector<const Provider*>& providers,
                                const Configuration& configuration, const std::string& location);

}  // namespace onnx2fx::plugin

#endif
