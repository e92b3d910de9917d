// A plugin's library: judged from its bytes first, mapped then. Once mapped it stays so until the
// process ends.
#ifndef ONNX2FX_CORE_PLUGIN_LIBRARY_HPP_
#define ONNX2FX_CORE_PLUGIN_LIBRARY_HPP_

#include <onnx2fx/plugin.h>

#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/elf_image.hpp"

namespace onnx2fx::plugin {

/// What the library says of itself; nothing of it runs. Throws PluginError: no file, or no library.
ElfImage read_image(const std::string& path);

/// Maps the library and asks its entry point for the table. sha256: what its bytes must hash to,
/// empty: any; the bytes that were hashed are the bytes that are mapped. A file that took the place
/// of one that is mapped already is mapped beside it. Throws PluginError; before any code of the
/// library has run, if the file itself is at fault.
const o2fx_plugin* load_library(const std::string& path, const std::string& sha256);

}  // namespace onnx2fx::plugin

#endif
