#include "core/plugin/descriptor.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>
#include <utility>

#include "core/plugin/elf_image.hpp"
#include "core/plugin/schema.hpp"

namespace onnx2fx::plugin {

namespace fs = std::filesystem;

bool has_errors(const std::vector<Diagnostic>& faults) {
  return std::any_of(faults.begin(), faults.end(),
                     [](const Diagnostic& d) { return d.severity == Severity::kError; });
}

std::string shown(const std::string& domain, const std::string& op_type) {
  return domain.empty() ? op_type : domain + "::" + op_type;
}
std::string shown(const DescribedOp& op) {
  std::string s = shown(op.domain, op.op_type) + " since " + std::to_string(op.since);
  return op.until ? s + " until " + std::to_string(op.until) : s;
}

std::string real_folder(const std::string& file) {
  std::error_code error;
  const fs::path folder = fs::path(file).parent_path();
  return fs::canonical(folder.empty() ? "." : folder, error).string();
}

static std::string outside(const std::string& folder, const std::string& library,
                           const char* key = "library") {
  return std::string("/plugin/") + key + ": expected a file inside " + folder + ", got " + library;
}

static bool is_inside(const fs::path& library, const fs::path& folder) {
  const auto [end, unused] =
      std::mismatch(folder.begin(), folder.end(), library.begin(), library.end());
  return end == folder.end();
}

/// Resolves symlinks on both sides, so that a link cannot lead out of the folder.
static std::string contained_library(const std::string& file, const std::string& folder,
                                     const std::string& name, const char* key,
                                     std::vector<Diagnostic>& faults) {
  std::error_code error;
  std::string library = folder + "/" + name;
  struct stat status {};
  const bool is_plain = name.find('/') == std::string::npos && name != "." &&
                        (lstat(library.c_str(), &status) != 0 || !S_ISLNK(status.st_mode));
  if (is_plain) return library;
  library = fs::weakly_canonical(library, error).string();
  if (!error && is_inside(library, folder)) return library;
  faults.push_back({Severity::kError, file, outside(folder, library, key), {}});
  return {};
}

void require_contained(const Descriptor& d) {
  std::error_code error;
  const fs::path folder = fs::canonical(fs::path(d.file).parent_path(), error);
  const fs::path library = fs::weakly_canonical(d.library, error);
  if (error || !is_inside(library, folder))
    throw PluginError(d.file, outside(folder.string(), library.string()));
}

/// What stands under `key` for this platform; empty: nothing does.
static std::string read_library(const Json& plugin, const char* key, const std::string& folder,
                                const Descriptor& d, std::vector<Diagnostic>& faults) {
  if (!plugin.contains(key)) return {};
  const Json* name = &plugin[key];
  if (name->is_object()) {
    if (!name->contains(platform())) return {};
    name = &(*name)[platform()];
  }
  return contained_library(d.file, folder, name->get<std::string>(), key, faults);
}

static void read_ops(const Json& ops, Descriptor& d, std::vector<Diagnostic>& faults) {
  std::map<std::tuple<std::string, std::string, int32_t>, size_t> seen;
  for (size_t i = 0; i < ops.size(); i++) {
    const Json& o = ops[i];
    DescribedOp op{domain_of(o["domain"].get<std::string>()),
                   o["op"].get<std::string>(),
                   o["since"].get<int32_t>(),
                   o.value("until", 0),
                   o.value("priority", 0),
                   o.value("override", false)};
    const std::string at = pointer("/provides/ops", i);
    if (op.until && op.until < op.since)
      faults.push_back({Severity::kError,
                        d.file,
                        at + "/until: expected at least since (" + std::to_string(op.since) +
                            "), got " + std::to_string(op.until),
                        {}});
    const auto [first, is_new] = seen.try_emplace({op.domain, op.op_type, op.since}, i);
    if (!is_new)
      faults.push_back(
          {Severity::kError,
           d.file,
           at + ": " + shown(op) + ": already stated at " + pointer("/provides/ops", first->second),
           {}});
    if (o.contains("torch_targets"))
      for (const Json& target : o["torch_targets"])
        d.torch_targets.push_back(target.get<std::string>());
    d.ops.push_back(std::move(op));
  }
}

static void read_schemes(const Json& weights, Descriptor& d, std::vector<Diagnostic>& faults) {
  for (size_t i = 0; i < weights.size(); i++) {
    DescribedScheme scheme{
        weights[i]["scheme"].get<std::string>(), {}, weights[i].value("file", true)};
    if (weights[i].contains("suffixes"))
      scheme.suffixes = weights[i]["suffixes"].get<std::vector<std::string>>();
    const bool twice = std::any_of(d.schemes.begin(), d.schemes.end(),
                                   [&](const DescribedScheme& s) { return s.name == scheme.name; });
    if (twice)
      faults.push_back(
          {Severity::kError,
           d.file,
           pointer("/provides/weights", i) + ": scheme '" + scheme.name + "': already stated",
           {}});
    d.schemes.push_back(std::move(scheme));
  }
}

static void read_plugin(const Json& p, const std::string& folder, Descriptor& d,
                        std::vector<Diagnostic>& faults) {
  d.id = p["id"].get<std::string>();
  d.version = p["version"].get<std::string>();
  d.sha256 = p.value("sha256", "");
  d.abi_major = p["abi"]["major"].get<uint32_t>();
  d.abi_min_minor = p["abi"]["min_minor"].get<uint32_t>();
  d.library = read_library(p, "library", folder, d, faults);
  d.torch_library = read_library(p, "torch_library", folder, d, faults);
  d.min_torch = p.value("min_torch", "");
  if (p.contains("requires"))
    for (const Json& r : p["requires"])
      d.requirements.push_back({r["plugin"].get<std::string>(), r.value("version", "")});
}

static std::string stated_id(const Json& json) {
  if (!json.is_object() || !json.contains("plugin") || !json["plugin"].is_object()) return "";
  const Json& plugin = json["plugin"];
  const bool has_id = plugin.contains("id") && plugin["id"].is_string();
  return has_id && is_id(plugin["id"]) ? plugin["id"].get<std::string>() : "";
}

Descriptor read_descriptor(const std::string& file, const std::string& folder,
                           std::vector<Diagnostic>& faults, read::Opened* opened) {
  const Json json = read_json(file, opened);
  std::vector<Diagnostic> own = check(json, descriptor_schema(), "manifest_version", file);
  Descriptor d;
  d.file = file;
  if (has_errors(own)) {
    d.id = stated_id(json);
  } else {
    read_plugin(json["plugin"], folder, d, own);
    const Json& provides = json["provides"];
    if (provides.contains("ops")) read_ops(provides["ops"], d, own);
    if (provides.contains("weights")) read_schemes(provides["weights"], d, own);
    std::sort(d.torch_targets.begin(), d.torch_targets.end());
    d.torch_targets.erase(std::unique(d.torch_targets.begin(), d.torch_targets.end()),
                          d.torch_targets.end());
  }
  faults.insert(faults.end(), own.begin(), own.end());
  return d;
}

}  // namespace onnx2fx::plugin
