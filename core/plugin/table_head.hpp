// The head of the table that a plugin's entry point returns: whether this host can read the rest.
#ifndef ONNX2FX_CORE_PLUGIN_TABLE_HEAD_HPP_
#define ONNX2FX_CORE_PLUGIN_TABLE_HEAD_HPP_

#include <onnx2fx/plugin.h>

#include <string>

namespace onnx2fx::plugin {

/// A zero-padded copy of a table that this host can live with: its size, its version, its flags.
/// `where` is for messages. Throws PluginError. host_minor: another than this host's is for tests.
o2fx_plugin readable_table(const o2fx_plugin* table, const std::string& where,
                           uint32_t host_minor = O2FX_ABI_MINOR);

}  // namespace onnx2fx::plugin

#endif
