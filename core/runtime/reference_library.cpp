#include "core/runtime/reference_library.hpp"

#include <dlfcn.h>

#include <map>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/reference_table.hpp"
#include "core/plugin/table_head.hpp"

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

using Entry = const o2fx_plugin*(O2FX_CALL*)();

std::string text(o2fx_str s) { return {s.data ? s.data : "", s.data ? s.len : 0}; }

}  // namespace

void add_references(void* handle, const std::string& path) {
  const auto entry = reinterpret_cast<Entry>(dlsym(handle, "onnx2fx_plugin_entry_1"));
  if (!entry) return;
  const o2fx_plugin table = plugin::readable_table(entry(), path);
  const std::vector<plugin::ReferenceFunction> own = plugin::reference_functions(table, path);
  const std::lock_guard lock(mutex());
  for (const plugin::ReferenceFunction& f : own)
    if (const auto other = functions().find(f.name); other != functions().end())
      throw ConversionError(path,
                            "torch library: reference function '" + f.name +
                                "': expected a name of its own, got one that " +
                                other->second.library + " has",
                            {"give one of the two; a process has one function of a name"});
  std::mutex* serial = table.flags & O2FX_PLUGIN_CONCURRENT ? nullptr : new std::mutex;
  for (const plugin::ReferenceFunction& f : own)
    functions()[f.name] = {path, text(table.id), text(table.version), f.compute, f.user, serial};
}

const Reference* find_reference(const std::string& name) {
  const std::lock_guard lock(mutex());
  const auto found = functions().find(name);
  return found == functions().end() ? nullptr : &found->second;
}

}  // namespace onnx2fx::runtime
