// Attribute paths in the root module: "encoder.layer.0.weight".
#ifndef ONNX2FX_CORE_FX_PATHS_HPP_
#define ONNX2FX_CORE_FX_PATHS_HPP_

#include <string>
#include <string_view>
#include <unordered_set>

namespace onnx2fx::fx {

/// Any text as a path whose components can be attributes of a torch module:
/// "/encoder/layer.0/MatMul" is "encoder.layer.0.MatMul", "onnx::MatMul_1" "onnx__MatMul_1", "type"
/// "type_". Empty for "" or "//".
std::string path_of(std::string_view name);

/// Whether torch gives every module or GraphModule an attribute of that name, or it is a Python
/// keyword.
bool is_reserved(std::string_view component);

/// "a.b" and "a.b.c" lie below "a"; "ab" does not.
bool is_below(std::string_view path, std::string_view parent);

/// "weight" of "encoder.layer.0.weight".
std::string last_part(std::string_view path);

/// The paths given out so far. Each is a leaf: nothing lies below it.
class PathTree {
 public:
  /// Takes `wanted`, or what comes nearest by putting "_1", "_2"... after the component that is in
  /// the way. `wanted` is a result of path_of, not empty.
  std::string claim(const std::string& wanted);
  /// Whether nothing has the path, and nothing lies below it.
  bool is_free(const std::string& path) const;
  /// Whether some leaf is in the way of what would hold `path`.
  bool lies_below_leaf(const std::string& path) const;

 private:
  std::string with_free_parents(const std::string& wanted) const;

  std::unordered_set<std::string> leaves_;
  std::unordered_set<std::string> parents_;
};

}  // namespace onnx2fx::fx

#endif
