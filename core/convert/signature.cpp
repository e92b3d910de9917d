#include "core/convert/signature.hpp"

#include <algorithm>
#include <cctype>

#include "core/fx/provenance.hpp"

namespace onnx2fx::conversion {
namespace {

using google::protobuf::RepeatedPtrField;

constexpr size_t kMaxText = size_t{1} << 26;

const std::string* property(const RepeatedPtrField<onnx::StringStringEntryProto>& all,
                            std::string_view key) {
  for (const auto& p : all)
    if (p.key() == key) return &p.value();
  return nullptr;
}

/// What stands between the first quote behind `key` and the next one.
std::optional<std::string_view> quoted(std::string_view line, std::string_view key) {
  const size_t at = line.find(key);
  if (at == std::string_view::npos || at + key.size() >= line.size()) return {};
  const char quote = line[at + key.size()];
  if (quote != '\'' && quote != '"') return {};
  const std::string_view rest = line.substr(at + key.size() + 1);
  const size_t end = rest.find(quote);
  return end == std::string_view::npos ? std::nullopt : std::optional(rest.substr(0, end));
}

std::optional<Signature::Kind> kind_of(std::string_view kind, std::string_view rest) {
  using Kind = Signature::Kind;
  if (kind == "PARAMETER") return Kind::kParameter;
  if (kind == "CONSTANT_TENSOR") return Kind::kConstant;
  if (kind == "BUFFER")
    return rest.find("persistent=False") == std::string_view::npos ? Kind::kPersistentBuffer
                                                                   : Kind::kBuffer;
  return {};
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return '0' <= c && c <= '9'; });
}

/// "val_12": a step on the way to the value of an FX node, which has the node's name.
bool is_step(std::string_view value) {
  return value.starts_with("val_") && is_digits(value.substr(4));
}

/// "view" of "view_3".
std::string call_of(std::string_view fx_name) {
  const size_t last = fx_name.rfind('_');
  const bool counted = last != std::string_view::npos && is_digits(fx_name.substr(last + 1));
  return std::string(counted ? fx_name.substr(0, last) : fx_name);
}

}  // namespace

std::string_view fx_node_of(const onnx::NodeProto& node) {
  const std::string* text = property(node.metadata_props(), "pkg.torch.onnx.fx_node");
  return text ? std::string_view(*text) : std::string_view();
}

// Lines "p_fc_weight: PARAMETER target='fc.weight'", inputs first.
void Signature::read(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line == "# outputs") return;
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    const std::string_view said = line.substr(colon + 2);
    const auto kind = kind_of(said.substr(0, said.find(' ')), said);
    const auto target = quoted(said, "target=");
    if (kind && target)
      entries_.try_emplace(std::string(line.substr(0, colon)), Entry{*kind, std::string(*target)});
  }
}

Signature::Signature(const onnx::GraphProto& graph) {
  const std::string* text =
      property(graph.metadata_props(), "pkg.torch.export.ExportedProgram.graph_signature");
  if (!text || text->size() > kMaxText) return;
  read(*text);
  for (const auto& [placeholder, entry] : entries_) by_target_.emplace(entry.target, placeholder);
  std::unordered_map<std::string, const std::string*> original;
  for (const auto& v : graph.value_info())
    if (const auto* from = property(v.metadata_props(), "pkg.onnxscript.optimizer.folded_from"))
      for (const std::string_view name : fx::quoted_items(*from))
        folded_from_[v.name()].emplace_back(name);
  for (const auto* values : {&graph.value_info(), &graph.input()})
    for (const auto& v : *values)
      if (const auto* name = property(v.metadata_props(), "pkg.torch.onnx.original_node_name"))
        original.emplace(v.name(), name);
  for (const auto& t : graph.initializer()) {
    std::string placeholder;
    if (const auto it = original.find(t.name()); it != original.end())
      placeholder = *it->second;
    else if (const auto named = by_target_.find(t.name());
             named != by_target_.end() && !folded_from_.count(t.name()))
      placeholder = named->second;
    if (!entries_.count(placeholder)) continue;
    held_.insert(placeholder);
    placeholder_of_[t.name()] = std::move(placeholder);
  }
}

const Signature::Entry* Signature::find(const std::string& initializer) const {
  const auto it = placeholder_of_.find(initializer);
  return it == placeholder_of_.end() ? nullptr : &entries_.at(it->second);
}

/// Calls f with each placeholder of a parameter that an FX node's text mentions.
template <class F>
static void for_each_parameter(std::string_view fx_node, F&& f) {
  for (size_t at = fx_node.find("%p_"); at != std::string_view::npos;
       at = fx_node.find("%p_", at + 1)) {
    size_t end = at + 1;
    while (end < fx_node.size() &&
           (std::isalnum(static_cast<unsigned char>(fx_node[end])) || fx_node[end] == '_'))
      end++;
    f(std::string(fx_node.substr(at + 1, end - at - 1)));
  }
}

std::vector<const Signature::Entry*> Signature::computed(std::string_view fx_node) const {
  std::vector<const Entry*> found;
  for_each_parameter(fx_node, [&](const std::string& placeholder) {
    const auto entry = entries_.find(placeholder);
    if (entry != entries_.end() && entry->second.kind == Kind::kParameter &&
        !held_.count(placeholder))
      found.push_back(&entry->second);
  });
  return found;
}

std::optional<Signature::Folded> Signature::folded(const std::string& initializer) const {
  const auto from = folded_from_.find(initializer);
  if (from == folded_from_.end()) return {};
  Folded f{.parameters = {}, .call = call_of(initializer)};
  size_t values = 0;
  for (const std::string& name : from->second) {
    values += !is_step(name);
    const auto at = by_target_.find(name);
    const Entry* entry = at == by_target_.end() ? nullptr : &entries_.at(at->second);
    if (entry && entry->kind == Kind::kParameter) f.parameters.push_back(entry);
  }
  f.at_once = values == 1 && f.parameters.size() == 1 && !is_step(initializer);
  return f.parameters.empty() ? std::nullopt : std::optional(std::move(f));
}

std::string Signature::Folded::names() const {
  std::string all;
  for (const Entry* e : parameters) all += (all.empty() ? "" : ", ") + e->target;
  return all;
}

bool Signature::mentions(std::string_view fx_node, const std::string& initializer) const {
  const auto held = placeholder_of_.find(initializer);
  bool found = false;
  if (held != placeholder_of_.end())
    for_each_parameter(fx_node, [&](const std::string& p) { found |= p == held->second; });
  return found;
}

}  // namespace onnx2fx::conversion
