// What a call of a torch operator returns: dtype, rank and extents, from a rule that aten_types.txt
// declares for its overload. Rules are pure functions of the call; tests/types holds each against
// torch's meta device. An overload without a rule has the kinds of its schema and no more.
#ifndef ONNX2FX_CORE_SHAPES_TYPE_RULES_HPP_
#define ONNX2FX_CORE_SHAPES_TYPE_RULES_HPP_

#include <string>
#include <string_view>
#include <vector>

#include "core/shapes/call.hpp"

namespace onnx2fx::conversion {

/// One type for each result. Of an operator that returns one list: one for each element, or, where
/// `open`, a single one that is true of all, however many there are.
struct Returned {
  Returned(Types t, bool open = false) : types(std::move(t)), open(open) {}
  Returned(Type t) : types{std::move(t)} {}
  Types types;
  bool open = false;
};
using TypeRuleFn = Returned (*)(const TorchCall&);

struct TypeRule {
  std::string_view name;
  TypeRuleFn apply;
};
/// The rules that aten_types.txt may name, one array a file of rules/.
using TypeRules = std::span<const TypeRule>;

/// Of a line of the table: "reduce sum integer".
struct DeclaredRule {
  TypeRuleFn apply;
  std::vector<std::string> words;
};
/// Throws std::invalid_argument for a rule that there is not.
DeclaredRule parse_rule(std::string_view line);
/// Null: the table has no such overload.
const DeclaredRule* find_type_rule(const std::string& target);
/// All overloads of the table.
std::vector<std::string> ruled_overloads();

/// `operands` in the schema's order. The dims of tensors among them may have gaps.
Returned call_types(const fx::Schema& schema, const DeclaredRule* rule,
                    std::vector<Operand> operands, SymTable& table);

}  // namespace onnx2fx::conversion

#endif
