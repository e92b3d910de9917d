#include "core/plugin/torch_libraries.hpp"

#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "core/plugin/library_faults.hpp"
#include "core/plugin/reference_table.hpp"
#include "core/plugin/sha256.hpp"
#include "core/read/mapped_file.hpp"

namespace onnx2fx::plugin {

struct Called {
  std::set<std::string> targets, references;
};
static Called called(const fx::Module& module) {
  Called all;
  for (const fx::Program& p : module.programs)
    for (const fx::Node& n : p.nodes) {
      if (n.op != fx::Op::kCallFunction) continue;
      all.targets.insert(n.target);
      if (n.target == "onnx2fx::reference") all.references.insert(*n.args[0].as<std::string>());
    }
  return all;
}

static std::string hash_of(const Plugin& plugin, const std::string& library,
                           std::vector<Diagnostic>& warnings) {
  std::shared_ptr<read::ByteSource> file;
  try {
    file = read::map_file(library, library);
  } catch (const ConversionError& e) {
    warnings.push_back(
        {Severity::kWarning,
         "plugin '" + plugin.id + "'",
         "torch_library: " + e.diagnostics[0].where + ": " + e.diagnostics[0].what,
         {"the module runs with any library of this name: its sha256 is not known"}});
    return "";
  }
  const std::span<const uint8_t> bytes(file->data, file->size);
  if (auto faults = library_faults(bytes, library); !faults.empty())
    throw PluginError(std::move(faults));
  return sha256(bytes);
}

std::vector<fx::TorchLibrary> torch_libraries(const fx::Module& module,
                                              const std::vector<Plugin*>& plugins,
                                              std::vector<Diagnostic>& warnings) {
  const Called names = called(module);
  std::vector<fx::TorchLibrary> all;
  const auto add = [&](const Plugin& p, const std::string& path, const std::string& min_torch,
                       std::vector<std::string> targets) {
    if (path.empty() || targets.empty()) return;
    all.push_back({std::filesystem::path(path).filename().string(), p.id, p.version,
                   hash_of(p, path, warnings), min_torch, std::move(targets)});
  };
  for (const Plugin* p : plugins) {
    std::vector<std::string> targets, references;
    for (const std::string& target : p->torch_targets)
      if (names.targets.contains(target)) targets.push_back(target);
    if (!names.references.empty())
      for (const ReferenceFunction& f : reference_functions(*p->table, p->library))
        if (names.references.contains(f.name)) references.push_back(f.name);
    add(*p, p->torch_library, p->min_torch, std::move(targets));
    add(*p, p->library, "", std::move(references));
  }
  return all;
}

}  // namespace onnx2fx::plugin
