// Choosing a provider: the rules of sdk/ABI.md, on descriptors alone.
#ifndef ONNX2FX_CORE_PLUGIN_CHOICE_HPP_
#define ONNX2FX_CORE_PLUGIN_CHOICE_HPP_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/plugin/descriptor.hpp"
#include "core/plugin/manifest.hpp"

namespace onnx2fx::plugin {

/// A plugin that is known, in order of discovery.
struct Provider {
  std::shared_ptr<const Descriptor> descriptor;
  bool builtin = false;     ///< of the installation: others need consent to override it
  bool in_process = false;  ///< registered by the embedding program, which is consent enough
  std::string status;       ///< "ok", or why it cannot serve
  bool usable() const { return status == "ok"; }
};

struct Choice {
  const Provider* provider;
  const DescribedOp* op;
};

/// What decides besides the descriptors.
struct Configuration {
  Manifest manifest;
  std::set<std::string> allow_override;
};

/// Why the op set lets nobody lower this operator ("disabled by FILE at /op_sets/prod/disable/0");
/// nullopt: it does not.
std::optional<std::string> switched_off(const Manifest& manifest, const std::string& domain,
                                        const std::string& op_type, int64_t opset);

/// Who is asked for (domain, op_type) of a model of this opset, in that order. why_not gets a line
/// for each provider of the op that is not asked. Throws PluginError for a conflict and for a bind
/// that cannot be kept.
std::vector<Choice> choose(const std::vector<const Provider*>& providers,
                           const Configuration& configuration, const std::string& domain,
                           const std::string& op_type, int64_t opset,
                           std::vector<std::string>& why_not);

}  // namespace onnx2fx::plugin

#endif
