// Rules of a manifest that do nothing: they name no plugin or operator that is there, so that what
// their author meant does not happen.
#ifndef ONNX2FX_CORE_PLUGIN_IDLE_RULES_HPP_
#define ONNX2FX_CORE_PLUGIN_IDLE_RULES_HPP_

#include <vector>

#include "core/plugin/choice.hpp"

namespace onnx2fx::plugin {

/// A warning for each, with its place and the nearest name. "*" may be idle: it names nothing.
std::vector<Diagnostic> idle_rules(const Manifest& manifest,
                                   const std::vector<const Provider*>& providers);

/// Whether the glob of a `disable` reaches the plugin: one of the installation only if it spells
/// out "onnx2fx.".
bool disables(const std::string& glob, const std::string& id, bool builtin);

}  // namespace onnx2fx::plugin

#endif
