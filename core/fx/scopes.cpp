#include "core/fx/scopes.hpp"

#include <algorithm>
#include <vector>

#include "core/fx/paths.hpp"
#include "core/fx/provenance.hpp"

namespace onnx2fx::fx {
namespace {

constexpr size_t kMostText = size_t{1} << 16;

/// The items of a property like "['', 'encoder', \"it's\"]"; what stands between them is not looked
/// at.
std::vector<std::string_view> quoted_items(const Provenance& node, std::string_view key) {
  std::vector<std::string_view> items;
  const std::string* said = property(node, key);
  if (!said || said->size() > kMostText) return items;
  std::string_view text = *said;
  while (true) {
    const size_t begin = text.find_first_of("'\"");
    if (begin == std::string_view::npos) return items;
    const size_t end = text.find(text[begin], begin + 1);
    if (end == std::string_view::npos) return items;
    items.push_back(text.substr(begin + 1, end - begin - 1));
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::string stated_scope(const Provenance& node, std::string_view type) {
  const auto scopes = quoted_items(node, "pkg.torch.onnx.name_scopes");
  const auto classes = quoted_items(node, "pkg.torch.onnx.class_hierarchy");
  if (scopes.size() != classes.size()) return {};
  for (size_t i = classes.size(); i-- > 0;)
    if (classes[i].starts_with("torch.nn.modules.") &&
        classes[i].ends_with("." + std::string(type)))
      return path_of(scopes[i]);
  return {};
}

std::string traced_scope(const Provenance& node) {
  std::string_view name = node.name;
  if (!name.starts_with('/')) return {};
  const size_t last = name.rfind('/');
  if (!name.substr(last + 1).starts_with(node.op_type)) return {};
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
    parent = part;
    name.remove_prefix(end);
  }
  return path_of(scope);
}

}  // namespace onnx2fx::fx
