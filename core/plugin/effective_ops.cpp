#include "core/plugin/effective_ops.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/include/onnx2fx/glob.hpp"

namespace onnx2fx::plugin {
namespace {

/// Opsets at which the answer may change. It is the same from one to the next.
class Borders {
 public:
  void add(int64_t since, int64_t until) {
    at_.insert(std::max<int64_t>(since, 1));
    if (until) at_.insert(until + 1);
  }
  void add(const Selection& s, const std::string& domain, const std::string& op_type) {
    if (s.domain == domain && glob_matches(s.op, op_type)) add(s.since, s.until);
  }
  const std::set<int64_t>& all() const { return at_; }

 private:
  std::set<int64_t> at_{1};
};

void add_rules(const OpSet& set, const std::string& domain, const std::string& op_type,
               Borders& borders) {
  for (const Bind& b : set.binds) borders.add(b.ops, domain, op_type);
  for (const Selection& s : set.disabled) borders.add(s, domain, op_type);
  if (const auto limits = set.domains.find(domain); limits != set.domains.end())
    borders.add(limits->second.min.opset, limits->second.max.opset);
}

/// Who is asked at an opset; nullopt: nobody.
std::optional<EffectiveOp> asked(const std::vector<const Provider*>& providers,
                                 const Configuration& configuration, const std::string& domain,
                                 const std::string& op_type, int64_t opset) {
  EffectiveOp op{domain, op_type, static_cast<int32_t>(opset), 0, "", {}};
  std::vector<std::string> why_not;
  try {
    const auto chosen = choose(providers, configuration, domain, op_type, opset, why_not);
    if (chosen.empty()) return std::nullopt;
    op.provider = chosen[0].provider->descriptor->id;
  } catch (const PluginError& e) {
    op.conflict = e.diagnostics[0];
    op.conflict->severity = Severity::kWarning;
  }
  return op;
}

}  // namespace

std::vector<EffectiveOp> effective_ops(const std::vector<const Provider*>& providers,
                                       const Configuration& configuration) {
  std::map<std::pair<std::string, std::string>, Borders> known;
  for (const Provider* p : providers)
    for (const DescribedOp& op : p->descriptor->ops)
      known[{op.domain, op.op_type}].add(op.since, op.until);
  std::vector<EffectiveOp> all;
  for (auto& [name, borders] : known) {
    const auto& [domain, op_type] = name;
    add_rules(configuration.manifest.op_set, domain, op_type, borders);
    EffectiveOp* open = nullptr;  // the last one, if it reaches up to here
    for (const int64_t opset : borders.all()) {
      auto op = asked(providers, configuration, domain, op_type, opset);
      const bool goes_on = open && op && !op->conflict && op->provider == open->provider;
      if (goes_on) continue;
      if (open) open->until = static_cast<int32_t>(opset - 1);
      open = op ? &all.emplace_back(std::move(*op)) : nullptr;
    }
  }
  return all;
}

}  // namespace onnx2fx::plugin
