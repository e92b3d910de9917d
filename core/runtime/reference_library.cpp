#include "core/runtime/reference_library.hpp"

#include <dlfcn.h>

#include <cstddef>
#include <map>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/reference_table.hpp"

namespace onnx2fx::runtime {
namespace {

std::mutex& mutex() {
  static std::mutex& m = *new std::mutex;
  return m;
}
std::map<std::string, Reference>& functions() {
  static auto& all = *new std::map<std::string, Reference>;
  return all;
}

/// Null: the library is no plugin.
const o2fx_plugin* table_of(void* handle, const std::string& path) {
  using Entry = const o2fx_plugin*(O2FX_CALL*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(handle, "onnx2fx_plugin_entry_1"));
  if (!entry) return nullptr;
  const o2fx_plugin* table = entry();
  if (!table || !O2FX_HAS(table, o2fx_plugin, get_extension) || table->abi_major != O2FX_ABI_MAJOR)
    throw ConversionError(path, "torch library: expected a plugin table of ABI 1, got another");
  return table;
}

}  // namespace

void add_references(void* handle, const std::string& path) {
  const o2fx_plugin* table = table_of(handle, path);
  if (!table) return;
  const std::vector<plugin::ReferenceFunction> own = plugin::reference_functions(*table, path);
  const std::lock_guard lock(mutex());
  for (const plugin::ReferenceFunction& f : own)
    if (const auto other = functions().find(f.name); other != functions().end())
      throw ConversionError(path, "torch library: reference function '" + f.name +
                                      "': expected a name of its own, got one that " +
                                      other->second.library + " has");
  std::mutex* serial = table->flags & O2FX_PLUGIN_CONCURRENT ? nullptr : new std::mutex;
  for (const plugin::ReferenceFunction& f : own)
    functions()[f.name] = {path, f.compute, f.user, serial};
}

const Reference* find_reference(const std::string& name) {
  const std::lock_guard lock(mutex());
  const auto found = functions().find(name);
  return found == functions().end() ? nullptr : &found->second;
}

}  // namespace onnx2fx::runtime
