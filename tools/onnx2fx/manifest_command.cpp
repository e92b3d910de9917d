#include "tools/onnx2fx/manifest_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <utility>

namespace onnx2fx::cli {
namespace {

/// Says each fault once, though every op set finds it.
class Faults {
 public:
  void say(const std::vector<Diagnostic>& all) {
    for (const Diagnostic& d : all) {
      const std::string text = format(d);
      if (!said_.insert(text).second) continue;
      fmt::print(stderr, "{}\n", text);
      any_ |= d.severity == Severity::kError;
    }
  }
  bool any() const { return any_; }

 private:
  std::set<std::string> said_;
  bool any_ = false;
};

/// The rules of the section "weights" name plugins, too.
void say_weights(const plugin::Registry& registry, Faults& faults) {
  try {
    registry.weight_rules();
  } catch (const PluginError& e) {
    faults.say(e.diagnostics);
  }
}

std::string limits_of(const plugin::OpSet& set, const std::string& domain) {
  const auto at = set.domains.find(domain);
  const int32_t min = at == set.domains.end() ? 0 : at->second.min.opset;
  const int32_t max = at == set.domains.end() ? 0 : at->second.max.opset;
  return fmt::format("{}..{}", std::max(min, 1), max ? std::to_string(max) : "");
}

/// "  ai.onnx 7..19: onnx2fx.ai-onnx 168, com.acme.pack 2" for each domain: how many operators
/// whom.
std::string effective(const plugin::Registry& registry, Faults& faults) {
  std::map<std::string, std::map<std::string, std::set<std::string>>> domains;
  for (const plugin::EffectiveOp& op : registry.effective_ops()) {
    if (op.conflict) faults.say({*op.conflict});
    domains[op.domain][op.conflict ? "conflict" : op.provider].insert(op.op_type);
  }
  std::string text;
  for (const auto& [domain, providers] : domains) {
    std::string counts;
    for (const auto& [id, ops] : providers)
      counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", id, ops.size());
    text += fmt::format("  {} {}: {}\n", domain.empty() ? "ai.onnx" : domain,
                        limits_of(registry.manifest().op_set, domain), counts);
  }
  return text;
}

}  // namespace

int check_manifest(const plugin::Options& options) {
  using plugin::Registry;
  Faults faults;
  const Registry given(options, Registry::Faults::kKept);
  const plugin::Manifest& manifest = given.manifest();
  std::vector<std::string> names = manifest.op_sets;
  if (!options.op_set.empty()) names = {options.op_set};
  // One of several op sets has to be chosen by whoever converts, and is not the file's fault.
  const bool open = names.size() > 1 && manifest.default_op_set.empty();
  if (!open) faults.say(given.faults());
  if (names.empty()) names = {""};
  std::string text;
  for (const std::string& name : names) {
    plugin::Options one = options;
    one.op_set = name;
    const Registry registry(one, Registry::Faults::kKept);
    faults.say(registry.faults());
    faults.say(registry.warnings());
    say_weights(registry, faults);
    text += name.empty() ? "no op set" : "op set '" + name + "'";
    if (name == manifest.op_set_name && !name.empty()) text += ", in force";
    text += "\n" + effective(registry, faults);
  }
  if (faults.any()) return 3;
  fmt::print("ok: {}\n{}", options.manifest, text);
  return 0;
}

}  // namespace onnx2fx::cli
