// Whether a node computes what a pattern says, and with what.
#ifndef ONNX2FX_CORE_FX_COMPOSITES_MATCHER_HPP_
#define ONNX2FX_CORE_FX_COMPOSITES_MATCHER_HPP_

#include <functional>
#include <optional>
#include <vector>

#include "core/fx/composites/pattern.hpp"
#include "core/fx/composites/program_terms.hpp"

namespace onnx2fx::fx::composites {

/// What a variable stands for: a node, a number, or another argument of a call.
struct Binding {
  TermRef term = nullptr;  ///< null: of an optional tensor, that it is absent
  Argument argument;
};
/// By variable; then by let.
using Bindings = std::vector<std::optional<Binding>>;

class Matcher {
 public:
  Matcher(ProgramTerms& program, const Pattern& pattern) : program_(program), pattern_(pattern) {}

  /// Of the ways to read `node` as `body` the first that `accepts` does.
  std::optional<Bindings> match(TermRef body, uint32_t node,
                                const std::function<bool(const Bindings&)>& accepts);

 private:
  using Next = std::function<bool()>;

  bool term(TermRef p, TermRef t, const Next& next);
  bool opened(TermRef p, uint32_t node, const Next& next);
  bool formula(TermRef p, TermRef t, const Next& next);
  bool bind(TermRef variable, Binding value, const Next& next);
  bool let(TermRef p, TermRef t, const Next& next);
  bool parts(const Term& p, const Term& t, const Next& next);
  bool assign(const std::vector<Part>& wanted, std::vector<Part> given, bool sum, const Next& next);
  bool call(TermRef p, uint32_t node, const Next& next);
  /// An argument of a call; of axes the rank that they count in.
  struct Given {
    const Node* call;
    Argument value;
    std::optional<int64_t> rank;
  };
  std::optional<int64_t> rank_of_first(const std::vector<std::optional<Argument>>& all) const;
  bool argument(TermRef p, const Given& given, const Next& next);
  bool in_order(const std::vector<TermRef>& p, const std::vector<Given>& given, size_t from,
                const Next& next);

  ProgramTerms& program_;
  const Pattern& pattern_;
  Bindings bindings_;
  size_t steps_ = 0;
};

}  // namespace onnx2fx::fx::composites

#endif
