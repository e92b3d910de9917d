#include "tools/onnx2fx/manifest_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tools/onnx2fx/fault_json.hpp"

namespace onnx2fx::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Says each fault once, though every op set finds it.
class Faults {
 public:
  void say(const std::vector<Diagnostic>& all) {
    for (const Diagnostic& d : all) {
      const std::string text = format(d);
      if (!said_.insert(text).second) continue;
      fmt::print(stderr, "{}\n", text);
      json_.push_back(cli::json(d));
      any_ |= d.severity == Severity::kError;
    }
  }
  bool any() const { return any_; }
  const Json& json() const { return json_; }

 private:
  std::set<std::string> said_;
  Json json_ = Json::array();
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

/// What an op set has of a domain.
struct DomainSummary {
  std::string name;
  int32_t min, max;                           ///< opsets; max 0: no limit
  std::map<std::string, uint64_t> operators;  ///< by provider, how many
  uint64_t conflicts = 0;
};
struct OpSetSummary {
  std::string name;
  bool in_force;
  std::vector<DomainSummary> domains;
};

OpSetSummary effective(const plugin::Registry& registry, const std::string& name, bool in_force,
                       Faults& faults) {
  std::map<std::string, std::map<std::string, std::set<std::string>>> domains;
  std::map<std::string, std::set<std::string>> conflicts;
  for (const plugin::EffectiveOp& op : registry.effective_ops()) {
    if (op.conflict) faults.say({*op.conflict});
    auto& providers = domains[op.domain];
    (op.conflict ? conflicts[op.domain] : providers[op.provider]).insert(op.op_type);
  }
  const auto& limits = registry.manifest().op_set.domains;
  OpSetSummary summary{name, in_force, {}};
  for (const auto& [domain, providers] : domains) {
    const auto at = limits.find(domain);
    DomainSummary d{domain.empty() ? "ai.onnx" : domain,
                    at == limits.end() ? 1 : std::max(at->second.min.opset, 1),
                    at == limits.end() ? 0 : at->second.max.opset,
                    {},
                    conflicts[domain].size()};
    for (const auto& [id, ops] : providers) d.operators[id] = ops.size();
    summary.domains.push_back(std::move(d));
  }
  return summary;
}

/// "  ai.onnx 7..19: onnx2fx.ai-onnx 168, com.acme.pack 2" for each domain.
std::string text(const OpSetSummary& set) {
  std::string all = set.name.empty() ? "no op set" : "op set '" + set.name + "'";
  all += set.in_force ? ", in force\n" : "\n";
  for (const DomainSummary& d : set.domains) {
    std::map<std::string, uint64_t> counts = d.operators;
    if (d.conflicts) counts["conflict"] = d.conflicts;
    std::string list;
    for (const auto& [id, count] : counts)
      list += fmt::format("{}{} {}", list.empty() ? "" : ", ", id, count);
    all +=
        fmt::format("  {} {}..{}: {}\n", d.name, d.min, d.max ? std::to_string(d.max) : "", list);
  }
  return all;
}

Json json(const OpSetSummary& set) {
  Json j{{"name", set.name.empty() ? Json(nullptr) : Json(set.name)},
         {"in_force", set.in_force},
         {"domains", Json::array()}};
  for (const DomainSummary& d : set.domains)
    j["domains"].push_back({{"domain", d.name},
                            {"min", d.min},
                            {"max", d.max ? Json(d.max) : Json(nullptr)},
                            {"operators", d.operators},
                            {"conflicts", d.conflicts}});
  return j;
}

/// The text says nothing of a manifest with errors, the document says them all.
void print(const std::string& manifest, const std::vector<OpSetSummary>& sets, const Faults& faults,
           bool as_json) {
  if (as_json) {
    Json j{{"manifest", manifest}, {"faults", faults.json()}, {"op_sets", Json::array()}};
    for (const OpSetSummary& set : sets) j["op_sets"].push_back(json(set));
    fmt::print("{}\n", j.dump(1, ' ', false, Json::error_handler_t::replace));
  } else if (!faults.any()) {
    fmt::print("ok: {}\n", manifest);
    for (const OpSetSummary& set : sets) fmt::print("{}", text(set));
  }
}

}  // namespace

int check_manifest(const plugin::Options& options, bool json) {
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
  std::vector<OpSetSummary> sets;
  for (const std::string& name : names) {
    plugin::Options one = options;
    one.op_set = name;
    const Registry registry(one, Registry::Faults::kKept);
    faults.say(registry.faults());
    faults.say(registry.warnings());
    say_weights(registry, faults);
    const bool in_force = name == manifest.op_set_name && !name.empty();
    sets.push_back(effective(registry, name, in_force, faults));
  }
  print(options.manifest, sets, faults, json);
  return faults.any() ? 3 : 0;
}

}  // namespace onnx2fx::cli
