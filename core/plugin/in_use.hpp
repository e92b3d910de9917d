// Which plugins the registries of the process have in use: init before the first call, deinit after
// the last.
#ifndef ONNX2FX_CORE_PLUGIN_IN_USE_HPP_
#define ONNX2FX_CORE_PLUGIN_IN_USE_HPP_

#include <functional>

#include "core/plugin/registry.hpp"

namespace onnx2fx::plugin {

/// Runs `init` unless another registry of the process has the plugin in use already; once for each
/// plugin of a registry. `init` runs alone, and its exception leaves the plugin out of use. Throws
/// PluginError if it is in use with another config.
void begin_use(Plugin& plugin, const std::function<void()>& init);

/// The end of that use, where there is one: of the last one deinit is called.
void end_use(Plugin& plugin);

}  // namespace onnx2fx::plugin

#endif
