#include "core/plugin/manifest.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include "core/include/onnx2fx/glob.hpp"
#include "core/plugin/descriptor.hpp"
#include "core/plugin/nearest.hpp"
#include "core/plugin/schema.hpp"

namespace onnx2fx::plugin {

namespace fs = std::filesystem;

bool Selection::selects(const std::string& d, const std::string& op_type, int64_t opset) const {
  return domain == d && glob_matches(op, op_type) && opset >= since &&
         (until == 0 || opset <= until);
}

namespace {

constexpr std::string_view kBuiltin = "builtin:";

/// "onnx-23" -> 23.
std::optional<int32_t> standard_opset(std::string_view name) {
  constexpr std::string_view kPrefix = "onnx-";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const std::string_view digits = name.substr(kPrefix.size());
  int32_t n = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (error != std::errc() || end != digits.data() + digits.size() || n < 1) return std::nullopt;
  return n;
}

class ManifestReader {
 public:
  explicit ManifestReader(std::vector<Diagnostic>& faults) : faults_(faults) {}

  Manifest read(const std::string& file, const std::string& op_set) {
    if (!file.empty()) document(file);
    manifest_.file = file;
    for (const auto& [name, unused] : op_sets_) manifest_.op_sets.push_back(name);
    manifest_.default_op_set = default_;
    settle(op_set);
    return std::move(manifest_);
  }

 private:
  static Origin origin(const std::string& file, const std::string& at) {
    return file + " at " + at;
  }
  void fault(const std::string& file, const std::string& what,
             std::vector<std::string> notes = {}) {
    faults_.push_back({Severity::kError, file, what, std::move(notes)});
  }

  void document(const std::string& file) {
    const Json json = read_json(file);
    std::vector<Diagnostic> own = check(json, manifest_schema(), "config_version", file);
    faults_.insert(faults_.end(), own.begin(), own.end());
    if (has_errors(own)) return;
    reading_.push_back(file);
    if (json.contains("extends")) extend(json["extends"], file);
    folders(json, file);
    if (json.contains("plugins")) plugins(json["plugins"], file);
    if (json.contains("on_conflict"))
      manifest_.conflicts_are_errors = json["on_conflict"] == "error";
    if (json.contains("on_unsupported"))
      manifest_.keeps_unsupported = json["on_unsupported"] == "opaque";
    if (json.contains("op_sets"))
      for (const auto& [name, set] : json["op_sets"].items())
        op_sets_[name] = op_set(set, file, pointer("/op_sets", name));
    if (json.contains("weights"))
      read_weights_section(json["weights"], file, manifest_.weights, faults_);
    if (json.contains("default_op_set")) {
      default_ = json["default_op_set"].get<std::string>();
      default_origin_ = file + ": /default_op_set";
    }
    reading_.pop_back();
  }

  void extend(const Json& list, const std::string& file) {
    for (size_t i = 0; i < list.size(); i++) {
      const auto name = list[i].get<std::string>();
      const std::string at = pointer("/extends", i);
      if (name.starts_with(kBuiltin)) {
        standard(name.substr(kBuiltin.size()), file, at);
        continue;
      }
      const std::string base = (fs::path(file).parent_path() / name).lexically_normal().string();
      if (std::find(reading_.begin(), reading_.end(), base) != reading_.end() ||
          reading_.size() > 16)
        fault(file, at + ": expected a manifest that does not extend this one, got " + base);
      else
        document(base);
    }
  }
  void standard(const std::string& name, const std::string& file, const std::string& at) {
    if (!standard_opset(name))
      return fault(file, at + ": expected 'builtin:onnx-N' or a file name, got '" +
                             std::string(kBuiltin) + name + "'");
    standard_ = DomainLimits{{}, {*standard_opset(name), origin(file, at)}};
  }

  void folders(const Json& json, const std::string& file) {
    if (!json.contains("plugin_dirs")) return;
    const Json& list = json["plugin_dirs"];
    for (size_t i = 0; i < list.size(); i++)
      manifest_.folders.push_back(
          {(fs::path(file).parent_path() / list[i].get<std::string>()).lexically_normal().string(),
           origin(file, pointer("/plugin_dirs", i))});
  }

  static void patterns(const Json& json, const char* key, const std::string& file,
                       std::vector<Pattern>& to) {
    if (!json.contains(key)) return;
    for (size_t i = 0; i < json[key].size(); i++)
      to.push_back(
          {json[key][i].get<std::string>(), origin(file, pointer(pointer("/plugins", key), i))});
  }
  void plugins(const Json& json, const std::string& file) {
    patterns(json, "disable", file, manifest_.disable);
    patterns(json, "enable", file, manifest_.enable);
    patterns(json, "allow_override", file, manifest_.allow_override);
    if (json.contains("config"))
      for (const auto& [id, config] : json["config"].items())
        manifest_.configs[id] = {config.dump(), origin(file, pointer("/plugins/config", id))};
    if (!json.contains("require")) return;
    for (size_t i = 0; i < json["require"].size(); i++) {
      const Json& r = json["require"][i];
      manifest_.required.push_back({r["id"].get<std::string>(), r.value("version", ""),
                                    r.value("sha256", ""),
                                    origin(file, pointer("/plugins/require", i))});
    }
  }

  Selection selection(const Json& json, const std::string& file, const std::string& at) {
    Selection s{domain_of(json.value("domain", "")), json["op"].get<std::string>(),
                json.value("since", 0), json.value("until", 0), origin(file, at)};
    if (s.until && s.until < s.since)
      fault(file, at + "/until: expected at least since (" + std::to_string(s.since) + "), got " +
                      std::to_string(s.until));
    return s;
  }
  OpSet op_set(const Json& json, const std::string& file, const std::string& at) {
    OpSet set;
    set.origin = file + ": " + at;
    if (json.contains("inherits")) set.inherits = json["inherits"].get<std::vector<std::string>>();
    if (json.contains("domains"))
      for (const auto& [domain, d] : json["domains"].items()) {
        const std::string here = pointer(at + "/domains", domain);
        const DomainLimits limits{{d.value("min", 0), origin(file, here)},
                                  {d.value("max", 0), origin(file, here)}};
        if (limits.max.opset && limits.max.opset < limits.min.opset)
          fault(file, here + "/max: expected at least min (" + std::to_string(limits.min.opset) +
                          "), got " + std::to_string(limits.max.opset));
        set.domains[domain_of(domain)] = limits;
      }
    if (json.contains("bind"))
      for (size_t i = 0; i < json["bind"].size(); i++) {
        const Json& b = json["bind"][i];
        set.binds.push_back(
            {selection(b, file, pointer(at + "/bind", i)), b["to"].get<std::string>(),
             b.contains("priority") ? std::optional(b["priority"].get<int32_t>()) : std::nullopt,
             b.value("fallthrough", false)});
      }
    if (json.contains("disable"))
      for (size_t i = 0; i < json["disable"].size(); i++)
        set.disabled.push_back(selection(json["disable"][i], file, pointer(at + "/disable", i)));
    return set;
  }

  // ---- the op set in force

  void settle(const std::string& asked) {
    std::string name = asked, where = "--op-set";
    if (name.empty() && !default_.empty()) {
      name = default_;
      where = default_origin_;
    }
    if (name.empty() && op_sets_.size() == 1) name = op_sets_.begin()->first;
    if (name.empty() && op_sets_.size() > 1)
      return fault(manifest_.file, "/default_op_set: expected one of " + known() + ", got none",
                   {"or choose one with --op-set"});
    manifest_.op_set_name = name;
    std::vector<std::string> path;
    if (!name.empty()) join(name, where, path);
    if (standard_) manifest_.op_set.domains.insert({"", *standard_});
  }
  std::string known() const {
    std::string list;
    for (const auto& [name, unused] : op_sets_) list += (list.empty() ? "'" : ", '") + name + "'";
    return list.empty() ? "'onnx-N'" : list;
  }
  std::optional<OpSet> find(const std::string& name, const std::string& where) const {
    if (const auto it = op_sets_.find(name); it != op_sets_.end()) return it->second;
    const auto opset = standard_opset(name);
    if (!opset) return std::nullopt;
    OpSet standard;
    standard.domains[""] = {{}, {*opset, "op set '" + name + "'"}};
    standard.origin = where;
    return standard;
  }
  /// What `name` says comes before what it inherits.
  void join(const std::string& name, const std::string& where, std::vector<std::string>& path) {
    if (std::find(path.begin(), path.end(), name) != path.end())
      return fault(where, "expected an op set that does not inherit itself, got '" + name + "'");
    const std::optional<OpSet> set = find(name, where);
    if (!set) {
      std::vector<std::string> names;
      for (const auto& [n, unused] : op_sets_) names.push_back(n);
      return fault(where, "expected one of " + known() + ", got '" + name + "'",
                   did_you_mean(name, names));
    }
    OpSet& all = manifest_.op_set;
    for (const auto& [domain, limits] : set->domains) {
      DomainLimits& known = all.domains[domain];
      if (!known.min.opset) known.min = limits.min;
      if (!known.max.opset) known.max = limits.max;
    }
    all.binds.insert(all.binds.end(), set->binds.begin(), set->binds.end());
    all.disabled.insert(all.disabled.end(), set->disabled.begin(), set->disabled.end());
    path.push_back(name);
    for (size_t i = 0; i < set->inherits.size(); i++)
      join(set->inherits[i], pointer(set->origin + "/inherits", i), path);
    path.pop_back();
  }

  std::vector<Diagnostic>& faults_;
  Manifest manifest_;
  std::map<std::string, OpSet> op_sets_;
  std::string default_, default_origin_;
  std::optional<DomainLimits> standard_;  ///< of builtin:onnx-N
  std::vector<std::string> reading_;
};

}  // namespace

Manifest read_manifest(const std::string& file, const std::string& op_set,
                       std::vector<Diagnostic>& faults) {
  return ManifestReader(faults).read(file, op_set);
}

}  // namespace onnx2fx::plugin
