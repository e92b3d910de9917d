#include <algorithm>

#include "core/fx/identifier.hpp"
#include "core/fx/passes.hpp"
#include "core/fx/paths.hpp"

namespace onnx2fx::fx {
namespace {

constexpr std::string_view kReserved[] = {
#define RESERVED_NAME(name) name,
#include "core/fx/reserved_names.def"
};
static_assert(std::ranges::is_sorted(kReserved));

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string component_of(std::string_view text) {
  std::string s(text);
  for (char& c : s) {
    if (!is_word(c)) c = '_';
  }
  if (is_digit(s[0]) && !std::all_of(s.begin(), s.end(), is_digit)) s.insert(0, "_");
  if (s.starts_with("__")) return "x" + s;
  return is_reserved(s) ? s + "_" : s;
}

}  // namespace

bool is_reserved(std::string_view component) {
  return component.starts_with("__") || std::ranges::binary_search(kReserved, component);
}

std::string last_part(std::string_view path) {
  return std::string(path.substr(path.rfind('.') + 1));
}

std::string path_of(std::string_view name) {
  std::string path;
  while (!name.empty()) {
    size_t end = std::min(name.find_first_of("./"), name.size());
    if (end) path += (path.empty() ? "" : ".") + component_of(name.substr(0, end));
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return path;
}

bool is_below(std::string_view path, std::string_view parent) {
  return path.size() > parent.size() && path.starts_with(parent) && path[parent.size()] == '.';
}

bool PathTree::is_free(const std::string& path) const {
  return !leaves_.contains(path) && !parents_.contains(path);
}

bool PathTree::lies_below_leaf(const std::string& path) const {
  for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1))
    if (leaves_.contains(path.substr(0, dot))) return true;
  return false;
}

std::string PathTree::with_free_parents(const std::string& wanted) const {
  std::string path;
  for (size_t begin = 0, dot; (dot = wanted.find('.', begin)) != std::string::npos;
       begin = dot + 1) {
    std::string parent = path + wanted.substr(begin, dot - begin);
    std::string free = parent;
    for (int n = 1; leaves_.contains(free); ++n) free = parent + "_" + std::to_string(n);
    path = free + ".";
  }
  return path + last_part(wanted);
}

std::string PathTree::claim(const std::string& wanted) {
  std::string base = with_free_parents(wanted);
  std::string path = base;
  for (int n = 1; !is_free(path); ++n) path = base + "_" + std::to_string(n);
  leaves_.insert(path);
  for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1)) {
    parents_.insert(path.substr(0, dot));
  }
  return path;
}

void assign_paths(Module& module) {
  PathTree tree;
  for (size_t i = 1; i < module.programs.size(); ++i) tree.claim(module.programs[i].name);
  for (Tensor& tensor : module.tensors) {
    // A stage before this one may have said where it lay in the author's model.
    std::string wanted = path_of(tensor.path.empty() ? tensor.name : tensor.path);
    if (wanted.empty()) wanted = "tensor";
    // A buffer of the root itself becomes persistent when torch.fx copies a GraphModule.
    if (tensor.role == Role::kConstant && wanted.find('.') == std::string::npos)
      wanted = "constants." + wanted;
    tensor.path = tree.claim(wanted);
  }
}

}  // namespace onnx2fx::fx
