#ifndef ONNX2FX_CORE_FX_NAME_SET_HPP_
#define ONNX2FX_CORE_FX_NAME_SET_HPP_

#include <string>
#include <unordered_map>

namespace onnx2fx::fx {

/// Names given out so far.
class NameSet {
 public:
  /// The name, or the first that nobody has of name_1, name_2...
  std::string claim(const std::string& wanted);
  bool contains(const std::string& name) const { return next_.contains(name); }

 private:
  std::unordered_map<std::string, int> next_;  ///< the number to try after each name
};

}  // namespace onnx2fx::fx

#endif
