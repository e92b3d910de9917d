// What a value rule works on: one node, and the elements of its inputs.
#ifndef ONNX2FX_CORE_SHAPES_VALUES_RULE_HPP_
#define ONNX2FX_CORE_SHAPES_VALUES_RULE_HPP_

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/shapes/elements.hpp"
#include "core/shapes/node_view.hpp"

namespace onnx2fx::conversion {

struct Rule {
  Operands& operands;
  const NodeView& n;
  const Type& output;  ///< the first one, as inferred

  SymTable& syms() const { return operands.syms; }
  size_t size() const { return n.inputs.size(); }
  bool has(size_t i) const { return i < n.inputs.size() && n.inputs[i]; }
  int rank(size_t i) const { return has(i) ? operands.type(i).rank() : -1; }
  int32_t dtype(size_t i) const { return has(i) ? operands.type(i).dtype : 0; }
  /// Extents of an input, if all are literals.
  std::optional<Extents> extents(size_t i) const;
  std::optional<Elements> elements(size_t i) const;
  /// Those of all inputs; nullopt if one is omitted or not tracked.
  std::optional<std::vector<Elements>> all() const;
  /// All elements of an input as literals.
  std::optional<std::vector<int64_t>> literals(size_t i) const;
  /// A list that is an attribute before opset `since`, and an input from there on. nullopt: not
  /// known; empty, too, if it is omitted.
  std::optional<std::vector<int64_t>> list(const char* attribute, size_t input,
                                           int64_t since) const;
};
using Result = std::optional<Tracked>;

struct NamedRule {
  std::string_view op_type;
  Result (*rule)(const Rule&);
};
/// Ops that take elements as they are: from other places, or more than once.
std::span<const NamedRule> movement_rules();
/// Ops that compute with numbers.
std::span<const NamedRule> number_rules();
/// Comparisons, logic, and what chooses by it.
std::span<const NamedRule> truth_rules();
/// The results of Split.
std::vector<Result> split_rule(const Rule& r, size_t n_outputs);

/// f(elements at one place...) at every place of the inputs, which are broadcast.
template <class F>
Result elementwise(const std::vector<Elements>& inputs, F f) {
  std::vector<Extents> all;
  for (const Elements& e : inputs) all.push_back(e.extents());
  const auto extents = broadcast(all);
  if (!extents) return {};
  std::vector<std::vector<size_t>> from;
  for (const Elements& e : inputs)
    from.push_back(places(*extents, strides_in(e.extents(), *extents)));
  Tracked r{*extents, {}};
  std::vector<MaybeSym> x(inputs.size());
  for (size_t k = 0; k < from[0].size(); k++) {
    for (size_t i = 0; i < inputs.size(); i++) x[i] = inputs[i].at(from[i][k]);
    r.elements.push_back(f(x));
  }
  return r;
}

}  // namespace onnx2fx::conversion

#endif
