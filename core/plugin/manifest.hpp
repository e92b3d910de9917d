// The manifest (--manifest FILE): which plugins may serve, which op set is in force, who lowers
// what. Every entry remembers where it was written, so that a refusal can name the line that caused
// it.
#ifndef ONNX2FX_CORE_PLUGIN_MANIFEST_HPP_
#define ONNX2FX_CORE_PLUGIN_MANIFEST_HPP_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/json_document.hpp"
#include "core/weights/source.hpp"

namespace onnx2fx::plugin {

/// "FILE at /op_sets/prod/disable/0".
using Origin = std::string;

/// Ops by name (`op` is a glob: onnx2fx/glob.hpp) and by the model's opset; 0: unlimited.
struct Selection {
  std::string domain, op;
  int32_t since = 0, until = 0;
  Origin origin;
  bool selects(const std::string& domain, const std::string& op_type, int64_t opset) const;
};
struct Bind {
  Selection ops;
  std::string to;
  std::optional<int32_t>
      priority;  ///< given: not a bind, but this provider's priority for these ops
  bool fallthrough = false;
};
struct DomainLimits {
  struct Limit {
    int32_t opset = 0;  ///< 0: unlimited
    Origin origin;
  };
  Limit min, max;
};
struct OpSet {
  std::vector<std::string> inherits;
  std::map<std::string, DomainLimits> domains;  ///< one that is absent is unlimited
  std::vector<Bind> binds;                      ///< the first that fits counts
  std::vector<Selection> disabled;
  Origin origin;
};
struct Pattern {
  std::string glob;
  Origin origin;
};
struct Required {
  std::string id, version, sha256;
  Origin origin;
};
/// What a plugin is told: the text of a JSON object.
struct Config {
  std::string json;
  Origin origin;
};
struct PluginFolder {
  std::string path;
  Origin origin;
};

/// Who serves a scheme, or the locations of a suffix.
struct Loader {
  std::string plugin;
  Origin origin;
};
struct WeightsSection {
  std::vector<std::string> roots;         ///< folders that files may also lie in
  std::map<std::string, Loader> loaders;  ///< by scheme or ".suffix"
  std::vector<weights::Rule> rules;       ///< scheme empty: the location's suffix decides
};

struct Manifest {
  std::string file;  ///< empty: none was given
  std::vector<PluginFolder> folders;
  std::vector<Pattern> disable, enable;
  std::vector<Required> required;
  std::vector<Pattern> allow_override;
  std::map<std::string, Config> configs;  ///< by plugin id
  bool conflicts_are_errors = true;
  bool keeps_unsupported = false;    ///< as opaque nodes
  std::string op_set_name;           ///< the one in force; empty: none
  OpSet op_set;                      ///< what it and its ancestors say
  std::vector<std::string> op_sets;  ///< the names of all
  std::string default_op_set;        ///< empty: none is stated
  WeightsSection weights;
};

/// The section "weights" of `file` goes into `to`: its rules before those that are there already.
void read_weights_section(const Json& json, const std::string& file, WeightsSection& to,
                          std::vector<Diagnostic>& faults);

/// Reads `file` (empty: no manifest) and all that it extends, and settles the op set: `op_set`,
/// else the manifest's default, else its only one. "onnx-N" always exists: domain "" up to opset N.
/// Extending "builtin:onnx-N" limits "" likewise where the op set itself says nothing of "".
Manifest read_manifest(const std::string& file, const std::string& op_set,
                       std::vector<Diagnostic>& faults);

}  // namespace onnx2fx::plugin

#endif
