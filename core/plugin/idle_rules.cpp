#include "core/plugin/idle_rules.hpp"

#include <algorithm>
#include <utility>

#include "core/include/onnx2fx/glob.hpp"
#include "core/plugin/nearest.hpp"
#include "core/plugin/similar_operator.hpp"

namespace onnx2fx::plugin {

bool disables(const std::string& glob, const std::string& id, bool builtin) {
  return glob_matches(glob, id) && (!builtin || glob == id || glob.starts_with("onnx2fx."));
}

namespace {

using Providers = std::vector<const Provider*>;

bool is_glob(const std::string& text) { return text.find_first_of("*?[") != std::string::npos; }

Diagnostic no_plugin(const Pattern& p, const Providers& providers) {
  std::vector<std::string> ids;
  for (const Provider* known : providers) ids.push_back(known->descriptor->id);
  return {Severity::kWarning, p.origin,
          "expected the id of a plugin that was found, got '" + p.glob + "'",
          did_you_mean(p.glob, ids)};
}

bool selects(const Selection& s, const DescribedOp& op) {
  return s.domain == op.domain && glob_matches(s.op, op.op_type) &&
         (!s.until || op.since <= s.until) && (!op.until || s.since <= op.until);
}
bool selects(const Selection& s, const Provider& p) {
  return std::any_of(p.descriptor->ops.begin(), p.descriptor->ops.end(),
                     [&](const DescribedOp& op) { return selects(s, op); });
}

Diagnostic no_operator(const Selection& s, const std::string& whose, const Providers& providers) {
  std::string opsets;
  if (s.since || s.until)
    opsets = " at opset " + std::to_string(std::max(s.since, 1)) + ".." +
             (s.until ? std::to_string(s.until) : "");
  Diagnostic d{
      Severity::kWarning,
      s.origin,
      "expected an operator of " + whose + opsets + ", got '" + shown(s.domain, s.op) + "'",
      {}};
  if (!is_glob(s.op))
    if (const auto note = similar_operator(providers, s.domain, s.op)) d.notes.push_back(*note);
  return d;
}

}  // namespace

std::vector<Diagnostic> idle_rules(const Manifest& manifest, const Providers& providers) {
  std::vector<Diagnostic> all;
  const auto none = [&](auto&& fits) {
    return std::none_of(providers.begin(), providers.end(), fits);
  };
  for (const Pattern& p : manifest.disable)
    if (p.glob != "*" &&
        none([&](const Provider* k) { return disables(p.glob, k->descriptor->id, k->builtin); }))
      all.push_back(no_plugin(p, providers));
  for (const std::vector<Pattern>* patterns : {&manifest.enable, &manifest.allow_override})
    for (const Pattern& p : *patterns)
      if (p.glob != "*" &&
          none([&](const Provider* k) { return glob_matches(p.glob, k->descriptor->id); }))
        all.push_back(no_plugin(p, providers));
  for (const auto& [id, config] : manifest.configs)
    if (none([&, &name = id](const Provider* k) { return k->descriptor->id == name; }))
      all.push_back(no_plugin({id, config.origin}, providers));
  for (const Bind& b : manifest.op_set.binds) {
    const auto to = std::find_if(providers.begin(), providers.end(),
                                 [&](const Provider* k) { return k->descriptor->id == b.to; });
    if (to != providers.end() && !selects(b.ops, **to))
      all.push_back(no_operator(b.ops, "'" + b.to + "'", {*to}));
  }
  for (const Selection& s : manifest.op_set.disabled)
    if (s.op != "*" && none([&](const Provider* k) { return selects(s, *k); }))
      all.push_back(no_operator(s, "a plugin that was found", providers));
  return all;
}

}  // namespace onnx2fx::plugin
