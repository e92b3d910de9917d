#include "core/fx/scopes.hpp"

#include <algorithm>
#include <vector>

#include "core/fx/paths.hpp"
#include "core/fx/provenance.hpp"

namespace onnx2fx::fx {
namespace {

constexpr size_t kMostText = size_t{1} << 16;
/// Of a node's name, and of modules in each other: nobody's are longer, and Python calls no deeper.
constexpr size_t kMostName = 4096, kDeepest = 64;

std::vector<std::string_view> items_of(const Provenance& node, std::string_view key) {
  const std::string* said = property(node, key);
  return said && said->size() <= kMostText ? quoted_items(*said) : std::vector<std::string_view>();
}

/// "transformers.models.bert.BertLayer" is "BertLayer".
std::string class_name(std::string_view type) {
  const std::string name = path_of(last_part(type));
  return name.empty() ? std::string(kUnknownClass) : name;
}

/// torch.export tells a second call of a module from the first: "relu@1".
std::string_view without_call(std::string_view scope) { return scope.substr(0, scope.find('@')); }

std::vector<Frame> stated_frames(const std::vector<std::string_view>& scopes,
                                 const std::vector<std::string_view>& classes) {
  std::vector<Frame> all;
  for (size_t i = 0; i + 1 < scopes.size(); i++) {
    std::string path = path_of(without_call(scopes[i]));
    if (path.empty()) continue;
    const bool of_torch = classes[i].starts_with("torch.nn.modules.");
    all.push_back({std::move(path), class_name(classes[i]), of_torch});
  }
  return all;
}

/// The elements of "/layer1/layer1.0/fc/MatMul", each with what it lies in: "layer1", "layer1.0",
/// "layer1.0.fc". nullopt: the name is of another form.
std::optional<std::vector<std::string>> traced_scopes(const Provenance& node) {
  std::string_view name = node.name;
  if (!name.starts_with('/') || name.size() > kMostName) return std::nullopt;
  if (static_cast<size_t>(std::ranges::count(name, '/')) > kDeepest) return std::nullopt;
  const size_t last = name.rfind('/');
  if (!name.substr(last + 1).starts_with(node.op_type)) return std::nullopt;
  std::vector<std::string> scopes;
  std::string scope;
  std::string_view parent;
  for (name = name.substr(0, last); !name.empty();) {
    const size_t end = std::min(name.find('/', 1), name.size());
    const std::string_view part = name.substr(1, end - 1);
    // the elements of a Sequential repeat its name
    if (!parent.empty() && part.starts_with(std::string(parent) + "."))
      scope.resize(scope.size() - parent.size());
    else if (!scope.empty())
      scope += ".";
    scope += part;
    scopes.push_back(scope);
    parent = part;
    name.remove_prefix(end);
  }
  return scopes;
}

}  // namespace

std::optional<std::vector<Frame>> frames(const Provenance& node) {
  const auto scopes = items_of(node, "pkg.torch.onnx.name_scopes");
  const auto classes = items_of(node, "pkg.torch.onnx.class_hierarchy");
  if (!scopes.empty() && scopes.size() == classes.size() && scopes.size() <= kDeepest)
    return stated_frames(scopes, classes);
  const auto traced = traced_scopes(node);
  if (!traced) return std::nullopt;
  std::vector<Frame> all;
  for (const std::string& scope : *traced)
    if (std::string path = path_of(scope); !path.empty())
      all.push_back({std::move(path), std::string(kUnknownClass)});
  return all;
}

std::string stated_scope(const Provenance& node, std::string_view type) {
  const auto scopes = items_of(node, "pkg.torch.onnx.name_scopes");
  const auto classes = items_of(node, "pkg.torch.onnx.class_hierarchy");
  if (scopes.size() != classes.size()) return {};
  for (size_t i = classes.size(); i-- > 0;)
    if (classes[i].starts_with("torch.nn.modules.") &&
        classes[i].ends_with("." + std::string(type)))
      return path_of(scopes[i]);
  return {};
}

std::string traced_scope(const Provenance& node) {
  const auto scopes = traced_scopes(node);
  return scopes && !scopes->empty() ? path_of(scopes->back()) : "";
}

}  // namespace onnx2fx::fx
