// Which plugin lowers which operator. Reads descriptors (NAME.onnx2fx.json) and the op-set
// manifest, and loads a library only when a model needs it.
#ifndef ONNX2FX_CORE_PLUGIN_REGISTRY_HPP_
#define ONNX2FX_CORE_PLUGIN_REGISTRY_HPP_

#include <onnx2fx/plugin.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <onnx2fx/export.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/include/onnx2fx/options.hpp"
#include "core/plugin/effective_ops.hpp"
#include "core/weights/source.hpp"

namespace onnx2fx::plugin {

/// A library that is mapped and whose table was accepted. Never unloaded.
struct Plugin {
  std::string id, version;
  std::string library;                 ///< absolute path; empty: registered in process
  std::string descriptor;              ///< path of the JSON file; empty: registered in process
  const o2fx_plugin* table = nullptr;  ///< a zero-padded copy of the plugin's own
  o2fx_weights_ext weights{};          ///< likewise; struct_size 0: it has no sources
  std::vector<std::string> torch_targets;
  std::string torch_library;  ///< absolute path of the library of those; empty: none is stated
  std::string min_torch;      ///< oldest torch that runs it; empty: not stated
  const o2fx_plugin* source = nullptr;  ///< the plugin's own table: one for all registries
  std::string config = "{}";            ///< what the manifest tells it: JSON
  bool initialised = false;             ///< see in_use.hpp
};

struct Candidate {
  Plugin* plugin;
  const o2fx_op* row;
};

/// One row of `onnx2fx ops`.
struct ProvidedOp {
  std::string domain, op_type;
  int32_t since = 1, until = 0;
  std::string provider;  ///< plugin id
};
/// One row of `onnx2fx plugins`.
struct ListedPlugin {
  std::string id, version, descriptor, library;  ///< id, version: empty where it says none
  size_t n_ops = 0;
  std::vector<std::string> schemes;  ///< of weight sources
  std::string status;  ///< "ok", "shadowed by PATH", "disabled by FILE at /plugins/disable/0", ...
};

/// A plugin that lives in this process (embedding, Python, tests). The table must outlive the
/// registry.
struct InProcess {
  const o2fx_plugin* table = nullptr;
  std::vector<std::string> torch_targets = {};  ///< operators of torch beside ATen's that it calls
};

class ONNX2FX_API Registry {
 public:
  /// What becomes of faults in what the user named: the manifest, --plugin, --plugin-dir. Others
  /// are warnings.
  enum class Faults : uint8_t {
    kThrown,  ///< PluginError with all of them
    kKept     ///< see faults(): for a listing
  };
  /// Reads all descriptors and the manifest, which may name the plugins `here` as well; loads
  /// nothing. Throws PluginError, also if a table is refused.
  explicit Registry(const Options& options, Faults faults = Faults::kThrown,
                    const std::vector<InProcess>& here = {});
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// One more, of which the manifest knew nothing. Throws PluginError if the table is refused.
  Plugin& add(const o2fx_plugin* table);

  /// Who may lower this node, in the order of asking, by the rules of sdk/ABI.md "choosing a
  /// provider"; loads the libraries of the candidates. `why_not` gets one line for each provider of
  /// the op that is no candidate ("disabled by FILE at /op_sets/prod/disable/0", "com.acme: lowers
  /// it at opset 20.., not at 17"); none: no plugin knows the op. Throws PluginError if a library
  /// is refused or a conflict is not settled. domain: "" for ai.onnx. Answers are cached; the
  /// reference lives as long as the registry.
  const std::vector<Candidate>& candidates(std::string_view domain, std::string_view op_type,
                                           int64_t opset,
                                           std::vector<std::string>* why_not = nullptr);

  /// Why the manifest lets nobody lower this operator, its ONNX function body neither; nullopt: it
  /// does not forbid it.
  std::optional<std::string> switched_off(std::string_view domain, std::string_view op_type,
                                          int64_t opset) const;

  /// What an operator that no plugin knows may have meant, as a note.
  std::optional<std::string> similar(std::string_view domain, std::string_view op_type) const;

  /// The plugin that serves weights of this scheme; loads its library. id: which one, if that is
  /// settled. Throws PluginError: nobody does, several do, or the library is refused.
  Plugin& weight_plugin(const std::string& scheme, const std::string& id);
  /// Who serves a location that a model names; scheme empty: it is a plain file's name.
  weights::Served served(const std::string& location) const;
  /// The manifest's rules, each with its scheme. Throws PluginError for one that nobody serves.
  std::vector<weights::Rule> weight_rules() const;
  /// Folders of the manifest that weight files may lie in.
  const std::vector<std::string>& weight_roots() const;

  /// (domain, op_type) pairs that any enabled plugin provides: for "did you mean".
  std::vector<ProvidedOp> ops() const;
  std::vector<ListedPlugin> plugins() const;
  /// Plugins mapped so far.
  std::vector<Plugin*> loaded() const;
  /// Warnings met while reading (shadowed descriptors, insecure paths accepted, descriptors in the
  /// user's or the installation's folders that are refused).
  const std::vector<Diagnostic>& warnings() const;
  const Manifest& manifest() const;
  /// The op set in force, written out.
  std::vector<EffectiveOp> effective_ops() const;
  /// Faults are kept.
  bool is_listing() const;
  /// Those that were kept.
  const std::vector<Diagnostic>& faults() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace onnx2fx::plugin

#endif
