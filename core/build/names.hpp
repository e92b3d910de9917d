// Identifiers for FX: any text -> a Python identifier that is no keyword and no builtin.
#ifndef ONNX2FX_CORE_BUILD_NAMES_HPP_
#define ONNX2FX_CORE_BUILD_NAMES_HPP_

#include <string>
#include <string_view>
#include <unordered_map>

namespace onnx2fx::conversion {

/// A keyword, a builtin, or a name that the code of a GraphModule has a use for.
bool is_reserved(std::string_view name);

/// Deterministic; not unique: callers add a number. "/fc1/Gemm" -> "fc1_Gemm", "input" -> "input_".
std::string identifier(const std::string& text);

/// Names given out so far.
class NameSet {
 public:
  /// The name, or the first that nobody has of name_1, name_2...
  std::string claim(const std::string& wanted);
  bool contains(const std::string& name) const { return next_.contains(name); }

 private:
  std::unordered_map<std::string, int> next_;  ///< the number to try after each name
};

}  // namespace onnx2fx::conversion

#endif
