#include "core/plugin/torch_libraries.hpp"

#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/plugin/elf_image.hpp"
#include "core/plugin/library.hpp"
#include "core/plugin/sha256.hpp"
#include "core/read/mapped_file.hpp"

namespace onnx2fx::plugin {

static std::set<std::string> called_targets(const fx::Module& module) {
  std::set<std::string> all;
  for (const fx::Program& p : module.programs)
    for (const fx::Node& n : p.nodes)
      if (n.op == fx::Op::kCallFunction) all.insert(n.target);
  return all;
}

/// As a plugin's library is judged before it is loaded. Whoever loads this one takes no other
/// bytes.
static void judge(std::span<const uint8_t> bytes, const std::string& path) {
  std::vector<Diagnostic> faults;
  try {
    for (std::string& what : relative_paths(read_elf(bytes)))
      faults.push_back({Severity::kError, path, std::move(what), {}});
  } catch (const std::runtime_error& e) {
    throw PluginError(path, e.what());
  }
  if (!faults.empty()) throw PluginError(std::move(faults));
}

static std::string hash_of(const Plugin& plugin, std::vector<Diagnostic>& warnings) {
  std::shared_ptr<read::ByteSource> file;
  try {
    file = read::map_file(plugin.torch_library, plugin.torch_library);
  } catch (const ConversionError& e) {
    warnings.push_back(
        {Severity::kWarning,
         "plugin '" + plugin.id + "'",
         "torch_library: " + e.diagnostics[0].where + ": " + e.diagnostics[0].what,
         {"the module runs with any library of this name: its sha256 is not known"}});
    return "";
  }
  const std::span<const uint8_t> bytes(file->data, file->size);
  judge(bytes, plugin.torch_library);
  return sha256(bytes);
}

std::vector<fx::TorchLibrary> torch_libraries(const fx::Module& module,
                                              const std::vector<Plugin*>& plugins,
                                              std::vector<Diagnostic>& warnings) {
  const std::set<std::string> called = called_targets(module);
  std::vector<fx::TorchLibrary> all;
  for (const Plugin* p : plugins) {
    if (p->torch_library.empty()) continue;
    fx::TorchLibrary library{std::filesystem::path(p->torch_library).filename().string(),
                             p->id,
                             p->version,
                             {},
                             p->min_torch,
                             {}};
    for (const std::string& target : p->torch_targets)
      if (called.contains(target)) library.targets.push_back(target);
    if (library.targets.empty()) continue;
    library.sha256 = hash_of(*p, warnings);
    all.push_back(std::move(library));
  }
  return all;
}

}  // namespace onnx2fx::plugin
