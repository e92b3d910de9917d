// A plugin's library: judged from its bytes first, mapped then, its table accepted last. A library
// once mapped stays so until the process ends.
#ifndef ONNX2FX_CORE_PLUGIN_LIBRARY_HPP_
#define ONNX2FX_CORE_PLUGIN_LIBRARY_HPP_

#include <onnx2fx/plugin.h>

#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/descriptor.hpp"
#include "core/plugin/elf_image.hpp"

namespace onnx2fx::plugin {

/// What the library says of itself; nothing of it runs. Throws PluginError: no file, or no library.
ElfImage read_image(const std::string& path);

/// Maps the library and asks its entry point for the table. sha256: what its bytes must hash to,
/// empty: any. The bytes are judged, hashed and mapped from one open file. Throws PluginError;
/// before any code of the library has run, if the file itself is at fault.
const o2fx_plugin* load_library(const std::string& path, const std::string& sha256);

/// A zero-padded copy of a table that keeps the rules of plugin.h; `where` is for messages. Throws
/// PluginError with every fault.
o2fx_plugin accepted_table(const o2fx_plugin* table, const std::string& where);

/// The rows of an accepted table.
std::vector<const o2fx_op*> rows(const o2fx_plugin& table);

/// Throws PluginError unless the table says what the descriptor says: id, version, every op row.
void require_agreement(const o2fx_plugin& table, const Descriptor& descriptor);

/// The descriptor's view of a table, for plugins that live in the process.
Descriptor describe(const o2fx_plugin& table);

}  // namespace onnx2fx::plugin

#endif
