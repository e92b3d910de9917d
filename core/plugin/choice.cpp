#include "core/plugin/choice.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/plugin/json_document.hpp"

namespace onnx2fx::plugin {

namespace {

struct Ranked {
  Choice choice;
  int32_t priority;
  bool overrides;  ///< a plugin's row for a built-in op, with consent
};

class Chooser {
 public:
  Chooser(const Configuration& configuration, const std::string& domain, const std::string& op_type,
          int64_t opset, std::vector<std::string>& why_not)
      : c_(configuration), domain_(domain), op_type_(op_type), opset_(opset), why_not_(why_not) {}

  std::vector<Choice> run(const std::vector<const Provider*>& providers) {
    if (const auto why = switched_off(c_.manifest, domain_, op_type_, opset_)) {
      why_not_.push_back(*why);
      return {};
    }
    eligible(providers);
    const Bind* bind = binding();
    std::vector<Choice> chosen = bind ? take_bound(*bind) : std::vector<Choice>();
    if (bind && !bind->fallthrough) {
      for (const Ranked& r : ranked_)
        refuse(*r.choice.provider, "another one is bound by " + bind->ops.origin);
      return chosen;
    }
    rank(chosen.empty());
    for (const Ranked& r : ranked_) chosen.push_back(r.choice);
    return chosen;
  }

 private:
  void refuse(const Provider& p, const std::string& why) {
    why_not_.push_back(p.descriptor->id + ": " + why);
  }
  std::string title() const {
    return shown(domain_, op_type_) + " (opset " + std::to_string(opset_) + ")";
  }

  /// Where the rows of the operator hold: "1..6, 13..".
  std::string opsets(const Provider& p) const {
    std::vector<std::pair<int32_t, int32_t>> spans;  // since, until
    for (const DescribedOp& op : p.descriptor->ops)
      if (op.op_type == op_type_ && op.domain == domain_) spans.emplace_back(op.since, op.until);
    std::sort(spans.begin(), spans.end());
    std::string all;
    for (size_t i = 0; i < spans.size(); i++) {
      const int32_t first = spans[i].first;
      const auto goes_on = [&] {
        return i + 1 < spans.size() &&
               (!spans[i].second || spans[i].second >= spans[i + 1].first - 1);
      };
      while (goes_on()) i++;
      all += (all.empty() ? "" : ", ") + std::to_string(first) + ".." +
             (spans[i].second ? std::to_string(spans[i].second) : "");
    }
    return all;
  }

  /// The row of the highest since at or below the opset: older semantics never stand in for newer
  /// ones.
  const DescribedOp* row(const Provider& p) {
    const DescribedOp* best = nullptr;
    bool known = false;
    for (const DescribedOp& op : p.descriptor->ops) {
      if (op.op_type != op_type_ || op.domain != domain_) continue;
      known = true;
      if (op.since <= opset_ && (!best || op.since > best->since)) best = &op;
    }
    if (!known) return nullptr;
    if (!p.usable()) {
      refuse(p, p.status);
    } else if (!best || (best->until && best->until < opset_)) {
      refuse(p, "lowers it at opset " + opsets(p) + ", not at " + std::to_string(opset_));
    } else {
      return best;
    }
    return nullptr;
  }

  void eligible(const std::vector<const Provider*>& providers) {
    bool has_builtin = false;
    for (const Provider* p : providers)
      if (const DescribedOp* op = row(*p)) {
        ranked_.push_back({{p, op}, priority(*p, *op), false});
        has_builtin |= p->builtin;
      }
    if (!has_builtin) return;
    std::erase_if(ranked_, [this](const Ranked& r) { return !consented(r); });
    for (Ranked& r : ranked_) r.overrides = !r.choice.provider->builtin;
  }
  int32_t priority(const Provider& p, const DescribedOp& op) const {
    for (const Bind& b : c_.manifest.op_set.binds)
      if (b.priority && b.to == p.descriptor->id && b.ops.selects(domain_, op_type_, opset_))
        return *b.priority;
    return op.priority;
  }
  bool consented(const Ranked& r) {
    const Provider& p = *r.choice.provider;
    if (p.builtin || p.in_process) return true;
    const std::string& id = p.descriptor->id;
    if (!r.choice.op->override_builtin)
      refuse(p, "a built-in provides it, and " + p.descriptor->file +
                    " does not say \"override\": true for it");
    else if (!c_.allow_override.contains(id) && !binds_to(id))
      refuse(p, "a built-in provides it; --allow-override " + id + " would let it override");
    else
      return true;
    return false;
  }
  bool binds_to(const std::string& id) const {
    const Bind* b = binding();
    return b && b->to == id;
  }

  const Bind* binding() const {
    for (const Bind& b : c_.manifest.op_set.binds)
      if (!b.priority && b.ops.selects(domain_, op_type_, opset_)) return &b;
    return nullptr;
  }
  std::vector<Choice> take_bound(const Bind& bind) {
    const auto it = std::find_if(ranked_.begin(), ranked_.end(), [&](const Ranked& r) {
      return r.choice.provider->descriptor->id == bind.to;
    });
    if (it == ranked_.end()) {
      std::vector<std::string> notes = why_not_;
      throw PluginError(
          bind.ops.origin,
          "expected '" + bind.to + "' to provide " + title() + ", got no such row that may serve",
          std::move(notes));
    }
    std::vector<Choice> bound = {it->choice};
    ranked_.erase(it);
    return bound;
  }

  static auto key(const Ranked& r) {
    return std::tuple(-r.priority, r.overrides ? 0 : 1, -r.choice.op->since);
  }
  /// Equals keep the order of discovery.
  void rank(bool first_counts) {
    std::stable_sort(ranked_.begin(), ranked_.end(),
                     [](const Ranked& a, const Ranked& b) { return key(a) < key(b); });
    if (first_counts && c_.manifest.conflicts_are_errors && ranked_.size() > 1 &&
        key(ranked_[0]) == key(ranked_[1]))
      conflict();
  }
  [[noreturn]] void conflict() const {
    const Descriptor &a = *ranked_[0].choice.provider->descriptor,
                     &b = *ranked_[1].choice.provider->descriptor;
    Json bind;
    if (!domain_.empty()) bind["domain"] = domain_;
    bind["op"] = op_type_;
    bind["to"] = a.id;
    const auto place = [](const Descriptor& d) {
      return d.id + ": " + (d.file.empty() ? "registered in process" : d.file);
    };
    throw PluginError(title(),
                      "expected one provider, got '" + a.id + "' and '" + b.id + "', both since " +
                          std::to_string(ranked_[0].choice.op->since) + " with priority " +
                          std::to_string(ranked_[0].priority),
                      {place(a), place(b), remedy(bind)});
  }
  std::string remedy(const Json& bind) const {
    const Manifest& m = c_.manifest;
    if (!m.file.empty() && !m.op_set_name.empty())
      return "add to " + m.file + " at " + pointer("/op_sets", m.op_set_name) +
             "/bind: " + bind.dump();
    Json whole = {{"config_version", "1.0"},
                  {"op_sets", {{"default", {{"bind", Json::array({bind})}}}}}};
    if (!m.file.empty()) {
      whole.erase("config_version");
      return "add to " + m.file + ": " + whole.dump();
    }
    return "give a --manifest with: " + whole.dump();
  }

  const Configuration& c_;
  const std::string &domain_, &op_type_;
  int64_t opset_;
  std::vector<std::string>& why_not_;
  std::vector<Ranked> ranked_;
};

}  // namespace

std::optional<std::string> switched_off(const Manifest& manifest, const std::string& domain,
                                        const std::string& op_type, int64_t opset) {
  for (const Selection& s : manifest.op_set.disabled)
    if (s.selects(domain, op_type, opset)) return "disabled by " + s.origin;
  const auto it = manifest.op_set.domains.find(domain);
  if (it == manifest.op_set.domains.end()) return {};
  const auto& [min, max] = it->second;
  const bool too_old = opset < min.opset, too_new = max.opset && opset > max.opset;
  if (!too_old && !too_new) return {};
  return "opset " + std::to_string(opset) + " is outside " +
         std::to_string(std::max(min.opset, 1)) + ".." +
         (max.opset ? std::to_string(max.opset) : "") + ", set by " +
         (too_old ? min.origin : max.origin);
}

std::vector<Choice> choose(const std::vector<const Provider*>& providers,
                           const Configuration& configuration, const std::string& domain,
                           const std::string& op_type, int64_t opset,
                           std::vector<std::string>& why_not) {
  return Chooser(configuration, domain, op_type, opset, why_not).run(providers);
}

}  // namespace onnx2fx::plugin
