// One step from a tensor's name to its key in a source: a regular expression, and what stands in
// for its matches. The expressions are RE2's: time in proportion to the name, and no recursion.
#ifndef ONNX2FX_CORE_WEIGHTS_RENAME_HPP_
#define ONNX2FX_CORE_WEIGHTS_RENAME_HPP_

#include <memory>
#include <string>

namespace re2 {
class RE2;
}

namespace onnx2fx::weights {

class Rename {
 public:
  /// replacement: $1 to $9 are the expression's groups, $& is the whole match, $$ a dollar sign.
  /// Throws std::invalid_argument, whose text begins with "match: " or "replace: ".
  Rename(const std::string& match, const std::string& replacement);

  /// The name with every match replaced.
  std::string of(std::string name) const;

 private:
  std::shared_ptr<const re2::RE2> match_;
  std::string rewrite_;  ///< as RE2 writes it: \\1
};

}  // namespace onnx2fx::weights

#endif
