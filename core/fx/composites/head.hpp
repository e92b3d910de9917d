// The head of a pattern for what its variables stand for: its conditions, its call.
//
// Conditions are comparisons of, or calls among:
//   rank(x), size(x, i), shape(x)       dims as the types of the program have them
//   floating(x)                         x is float16, bfloat16, float32 or float64
//   boolean(x)                          x is bool
//   fits(x, [d, ...])                   nothing says that x is larger along an axis of these dims
//   divides(n, size)                    a number of a dim
//   per_channel(w, x)                   w broadcasts along axis 1 of x alone
//   stated()                            the exporter says that all parts are one call (recover.cpp)
// Arguments of the call may say swapped(x) as well, x with its last two axes exchanged, and
// flat(x), x as one axis; in_training(p), the number p in train() and 0 in eval();
// unless_usual(s, q), the scale s of an attention where it is not 1 / sqrt(size(q, -1)).
#ifndef ONNX2FX_CORE_FX_COMPOSITES_HEAD_HPP_
#define ONNX2FX_CORE_FX_COMPOSITES_HEAD_HPP_

#include <string>
#include <vector>

#include "core/fx/composites/matcher.hpp"

namespace onnx2fx::fx::composites {

class Head {
 public:
  Head(const Program& program, const Pattern& pattern, const Bindings& bindings, bool stated)
      : program_(program), pattern_(pattern), bindings_(bindings), stated_(stated) {}

  /// Whether all conditions are known to hold.
  bool holds() const;
  /// Nodes that the call needs before it, and the call as the last. NodeRefs from the program's
  /// size on are nodes of this list. Empty: an argument is not known.
  std::vector<Node> call() const;

 private:
  /// A number, a dim as text, dims, or a truth; monostate: not known.
  using Value = std::variant<std::monostate, double, bool, std::string, std::vector<std::string>>;
  Value value(TermRef term) const;
  Value fact(const Term& call) const;
  bool holds(const Condition& condition) const;
  bool is_left_out(TermRef term) const;
  bool divides(TermRef number, TermRef dim) const;
  /// What a tensor or a let stands for; null: it is absent, or no node.
  const Node* node(TermRef variable) const;
  const Node* unswapped(const Node& x) const;
  std::optional<Argument> argument(TermRef term, std::vector<Node>& before) const;
  std::optional<Argument> call_argument(const Term& call, std::vector<Node>& before) const;
  std::optional<Argument> flat(NodeRef ref, std::vector<Node>& before) const;
  Argument unless_usual(TermRef scale, TermRef query) const;
  Argument in_training(TermRef number, std::vector<Node>& before) const;
  NodeRef put(Node node, std::vector<Node>& before) const;
  Argument swapped(const Node& x, NodeRef ref, std::vector<Node>& before) const;

  const Program& program_;
  const Pattern& pattern_;
  const Bindings& bindings_;
  bool stated_;
};

}  // namespace onnx2fx::fx::composites

#endif
