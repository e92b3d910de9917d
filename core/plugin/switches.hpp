// Plugins that the environment or the manifest turns off, and on again.
#ifndef ONNX2FX_CORE_PLUGIN_SWITCHES_HPP_
#define ONNX2FX_CORE_PLUGIN_SWITCHES_HPP_

#include <optional>
#include <string>
#include <vector>

#include "core/plugin/manifest.hpp"

namespace onnx2fx::plugin {

/// Globs of ids.
struct Switches {
  std::vector<std::string> disable, enable;
};
/// Of ONNX2FX_PLUGIN_DISABLE and ONNX2FX_PLUGIN_ENABLE.
Switches switches_of_environment();

/// Why a plugin is off; nullopt: it is not. Disable is judged before enable; the environment before
/// the manifest. A glob that does not spell out "onnx2fx." leaves the installation's own plugins
/// alone.
std::optional<std::string> turned_off(const Switches& environment, const Manifest& manifest,
                                      const std::string& id, bool builtin);

}  // namespace onnx2fx::plugin

#endif
