// The definitions of composites, as text: what one ATen call is in terms of others.
//
//     gelu(x) -> aten::gelu(x)
//       = 0.5 * x * (1 + erf(x / 1.4142135623730951))
//       where floating(x)
//       try x[2, 3, 8]
//
// The head names the variables: tensors ("mask?" may be absent), after ";" numbers; after "->" the
// call that takes the place. "let c = x - mean(x, [-1], true)" names a term that is used more than
// once. Each "=" is a body: formulas over ATen calls without "aten::" and overload, arguments as in
// the schema, those left out at their defaults; "a | b" is either, "_" any value, "training"
// whether the module is in train(). full([n], 1) is a constant whose elements are all 1; size(x, 0)
// and shape(x) as arguments are what they may be, since the types of their results are what
// conditions ask for. "where" lists conditions (conditions.hpp); "try" gives the dims and numbers
// that the tests prove both sides with. "#" starts a comment.
#ifndef ONNX2FX_CORE_FX_COMPOSITES_PATTERN_HPP_
#define ONNX2FX_CORE_FX_COMPOSITES_PATTERN_HPP_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/fx/composites/term.hpp"

namespace onnx2fx::fx::composites {

struct Variable {
  std::string name;
  bool optional = false;
  bool scalar = false;
  std::vector<int64_t> sample_dims;  ///< of a tensor, in tests
  double sample = 0;                 ///< of a scalar, in tests
};

/// "eps < 0.1", "rank(q) == 4", "floating(x)": `right` is null where there is no comparison.
struct Condition {
  TermRef left, right;
  std::string comparison;
};

struct Pattern {
  std::string name;
  std::vector<Variable> variables;
  std::vector<std::pair<std::string, TermRef>> lets;
  std::vector<TermRef> bodies;
  std::vector<Condition> conditions;
  std::string target;  ///< of the head: "aten::gelu"
  std::vector<TermRef> arguments;
  std::vector<std::pair<std::string, TermRef>> keywords;
};

/// full, size and shape as arguments: what they say may stand there in another way.
bool need_not_be_called(const Term& term);

/// What a text defines. `terms` owns the formulas. Throws std::invalid_argument: "gelu.pat:3:
/// expected ')', got '*'".
std::vector<Pattern> parse_patterns(std::string_view file, std::string_view text, Terms& terms);

/// Those that are part of the library, parsed once. They live as long as the process; safe to call
/// from several threads.
const std::vector<Pattern>& patterns();

}  // namespace onnx2fx::fx::composites

#endif
