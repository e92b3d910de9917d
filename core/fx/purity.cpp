#include "core/fx/purity.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace onnx2fx::fx {
namespace {

/// They return a tensor and do more than their schema says.
constexpr std::array<std::string_view, 1> kActing = {"aten::from_file"};

/// Arguments that a caller of the functional form gives: not those that only take the result.
std::vector<const SchemaArgument*> given(const Schema& schema) {
  std::vector<const SchemaArgument*> all;
  for (const SchemaArgument& a : schema.arguments)
    if (!a.mutated || !a.kw_only) all.push_back(&a);
  return all;
}

bool same_arguments(const Schema& a, const Schema& b) {
  const auto x = given(a), y = given(b);
  return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                    [](const SchemaArgument* p, const SchemaArgument* q) {
                      return p->name == q->name && p->type == q->type;
                    });
}

/// "aten::add_.Tensor" -> "aten::add.Tensor", "aten::relu.out" -> "aten::relu"; "": there is none.
std::string functional_form(const Schema& schema) {
  std::string base(without_overload(schema.name));
  if (base.ends_with('_')) base.pop_back();
  for (const std::string& name : {base, base + "_functional"})
    for (const Schema* s : find_overloads(name))
      if (!s->mutates() && !s->returns.empty() && same_arguments(*s, schema)) return s->name;
  return "";
}

}  // namespace

std::string impurity(const Schema& schema) {
  const auto mutated = std::ranges::find_if(schema.arguments, &SchemaArgument::mutated);
  if (mutated != schema.arguments.end()) {
    const std::string form = functional_form(schema);
    return "it writes to its argument '" + mutated->name + "': expected " +
           (form.empty() ? "an operator that does not" : form);
  }
  if (schema.returns.empty()) return "it returns nothing: expected an operator with a result";
  const std::string_view base = without_overload(schema.name);
  if (std::ranges::find(kActing, base) != kActing.end())
    return "it acts outside the program: expected an operator on tensors alone";
  return "";
}

}  // namespace onnx2fx::fx
