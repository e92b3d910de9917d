// The libraries that the torch operators of packs come from, and their reference functions, which
// are in the plugin itself. A conversion loads none to run it: it says which one its program needs.
#ifndef ONNX2FX_CORE_PLUGIN_TORCH_LIBRARIES_HPP_
#define ONNX2FX_CORE_PLUGIN_TORCH_LIBRARIES_HPP_

#include <vector>

#include "core/plugin/registry.hpp"

namespace onnx2fx::plugin {

/// Those that the module calls operators or reference functions of. One whose file is not there has
/// no hash, which is a warning. Throws PluginError: one that is no library for this machine, or has
/// a relative run path.
std::vector<fx::TorchLibrary> torch_libraries(const fx::Module& module,
                                              const std::vector<Plugin*>& plugins,
                                              std::vector<Diagnostic>& warnings);

}  // namespace onnx2fx::plugin

#endif
