// The table that a plugin's entry point returns: judged before it is used, and held against the
// descriptor.
#ifndef ONNX2FX_CORE_PLUGIN_TABLE_HPP_
#define ONNX2FX_CORE_PLUGIN_TABLE_HPP_

#include <onnx2fx/plugin.h>

#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/descriptor.hpp"

namespace onnx2fx::plugin {

/// A zero-padded copy of a table that keeps the rules of plugin.h; `where` is for messages. Throws
/// PluginError with every fault. host_minor: another than this host's is for tests.
o2fx_plugin accepted_table(const o2fx_plugin* table, const std::string& where,
                           uint32_t host_minor = O2FX_ABI_MINOR);

/// The rows of an accepted table.
std::vector<const o2fx_op*> rows(const o2fx_plugin& table);

/// Throws PluginError unless the table says what the descriptor says: id, version, every op row.
void require_agreement(const o2fx_plugin& table, const Descriptor& descriptor);

/// The descriptor's view of a table, for plugins that live in the process.
Descriptor describe(const o2fx_plugin& table);

}  // namespace onnx2fx::plugin

#endif
