#include "core/plugin/table_head.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "core/include/onnx2fx/diagnostic.hpp"

namespace onnx2fx::plugin {

o2fx_plugin readable_table(const o2fx_plugin* table, const std::string& where,
                           uint32_t host_minor) {
  if (!table) throw PluginError(where, "onnx2fx_plugin_entry_1: expected a table, got NULL");
  o2fx_plugin copy{};
  constexpr uint64_t kMinor0 = offsetof(o2fx_plugin, get_extension) + sizeof(copy.get_extension);
  const uint64_t size = table->struct_size;
  if (size < kMinor0 || size > O2FX_MAX_STRUCT || size % 8)
    throw PluginError(where, "struct_size: expected a multiple of 8 from " +
                                 std::to_string(kMinor0) + " to " +
                                 std::to_string(O2FX_MAX_STRUCT) + ", got " + std::to_string(size));
  std::memcpy(&copy, table, std::min<uint64_t>(size, sizeof copy));
  const std::string major = std::to_string(copy.abi_major),
                    spoken = std::to_string(O2FX_ABI_MAJOR) + "." + std::to_string(host_minor);
  if (copy.abi_major != O2FX_ABI_MAJOR)
    throw PluginError(where,
                      "plugin ABI " + major + "." + std::to_string(copy.abi_minor) +
                          ", this host speaks " + spoken,
                      {"rebuild the plugin against this SDK, or upgrade onnx2fx"});
  if (copy.abi_min_minor > host_minor)
    throw PluginError(where,
                      "needs a host of ABI " + major + "." + std::to_string(copy.abi_min_minor) +
                          " or newer, this host speaks " + spoken,
                      {"upgrade onnx2fx"});
  if (copy.flags & ~O2FX_PLUGIN_CONCURRENT)
    throw PluginError(where, "flags: expected known ones, got " + std::to_string(copy.flags));
  return copy;
}

}  // namespace onnx2fx::plugin
