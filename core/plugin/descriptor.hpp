// NAME.onnx2fx.json: what a plugin says of itself, so that it can be listed and chosen without
// being loaded.
#ifndef ONNX2FX_CORE_PLUGIN_DESCRIPTOR_HPP_
#define ONNX2FX_CORE_PLUGIN_DESCRIPTOR_HPP_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/read/open_file.hpp"

namespace onnx2fx::plugin {

/// One row of provides.ops. domain "ai.onnx" is read as "".
struct DescribedOp {
  std::string domain, op_type;
  int32_t since = 1, until = 0;  ///< inclusive; until 0: open end
  int32_t priority = 0;
  bool override_builtin = false;
};

/// One row of provides.weights.
struct DescribedScheme {
  std::string name;
  std::vector<std::string> suffixes;  ///< ".safetensors": locations that mean it
  bool reads_file = true;             ///< else a rule gives it no location
};

struct Requirement {
  std::string id, version;  ///< version: a range; empty: any
};

struct Descriptor {
  std::string file;  ///< path of the JSON file; empty: registered in process
  std::string id, version;
  std::string library;  ///< absolute, inside the descriptor's folder; empty: none for this platform
  std::string sha256;   ///< empty: not stated
  std::string torch_library;  ///< of its torch operators; as `library`
  std::string min_torch;      ///< oldest torch that runs it, "2.10"; empty: not stated
  uint32_t abi_major = 0, abi_min_minor = 0;
  std::vector<Requirement> requirements;
  std::vector<DescribedOp> ops;
  std::vector<DescribedScheme> schemes;    ///< of weight sources
  std::vector<std::string> torch_targets;  ///< of all rows
};

/// Checks against sdk/schema/plugin.schema.json and beyond it (since <= until, no row twice, the
/// library inside the descriptor's folder). Faults go to `faults`; with an error among them the
/// descriptor is of no use, save for an id to call it by, if it says one. Throws PluginError if it
/// cannot be read or is no JSON. folder: the real path of the file's.
Descriptor read_descriptor(const std::string& file, const std::string& folder,
                           std::vector<Diagnostic>& faults, read::Opened* opened = nullptr);
/// The real path of the folder that a file lies in; empty: there is none.
std::string real_folder(const std::string& file);

/// The library of a descriptor, which lies in its folder, links resolved. Throws PluginError if it
/// leads elsewhere by now.
void require_contained(const Descriptor& descriptor);

/// "ai.onnx" and "" are one domain.
inline std::string domain_of(std::string_view domain) {
  return std::string(domain == "ai.onnx" ? "" : domain);
}
/// "Relu" or "com.acme::Rope", with ", since 1" for a row.
std::string shown(const std::string& domain, const std::string& op_type);
std::string shown(const DescribedOp& op);

bool has_errors(const std::vector<Diagnostic>& faults);

}  // namespace onnx2fx::plugin

#endif
