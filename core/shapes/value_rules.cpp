// The value rules: what shape calculations in a graph are made of. Each computes the elements of a
// small tensor from those of its inputs, symbolically; an element that is not known is nullopt.
#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/shapes/infer.hpp"
#include "core/shapes/real.hpp"
#include "core/shapes/values/rule.hpp"

namespace onnx2fx::conversion {

using onnx::TensorProto;

// ---- what rules ask

std::optional<Extents> Rule::extents(size_t i) const {
  if (!has(i) || !operands.type(i).dims) return {};
  Extents r;
  for (const MaybeSym& d : *operands.type(i).dims) {
    if (!d || !d->is_literal()) return {};
    r.push_back(d->literal());
  }
  return r;
}

std::optional<Elements> Rule::elements(size_t i) const {
  auto extents = this->extents(i);
  if (!extents || !operands.type(i).is_tensor()) return {};
  const std::vector<MaybeSym>* all = operands.elements(i);
  const auto n = count_of(*extents);
  if (!all || !n || static_cast<size_t>(*n) != all->size()) return {};
  return Elements(std::move(*extents), *all);
}

std::optional<std::vector<Elements>> Rule::all() const {
  std::vector<Elements> r;
  for (size_t i = 0; i < size(); i++) {
    auto x = elements(i);
    if (!x) return {};
    r.push_back(std::move(*x));
  }
  return r;
}

std::optional<std::vector<int64_t>> Rule::literals(size_t i) const {
  const auto x = elements(i);
  return x ? x->literals() : std::nullopt;
}

std::optional<std::vector<int64_t>> Rule::list(const char* attribute, size_t input,
                                               int64_t since) const {
  if (n.opset < since) return n.integers(attribute);
  return has(input) ? literals(input) : std::vector<int64_t>{};
}

namespace {

// ---- which nodes

using RuleFn = Result (*)(const Rule&);

RuleFn find_rule(const std::string& op_type) {
  static const auto table = [] {
    std::unordered_map<std::string_view, RuleFn> all;
    for (const auto rules : {movement_rules(), number_rules(), truth_rules()})
      for (const NamedRule& r : rules) all.emplace(r.op_type, r.rule);
    return all;
  }();
  const auto found = table.find(op_type);
  return found == table.end() ? nullptr : found->second;
}

bool is_tracked_type(const Type& t) {
  if (!t.is_tensor()) return false;
  if (!is_tracked_float(t.dtype))
    return t.dtype == TensorProto::INT64 || t.dtype == TensorProto::INT32 ||
           t.dtype == TensorProto::BOOL;
  if (!t.dims) return true;
  const auto n = t.count();
  return n && *n <= kMaxMade;
}

// ---- what comes of it

// Integers are as wide as their type: literals wrap; what may wrap when the module runs, or be
// rounded, is not known.
MaybeSym in_type(SymTable& syms, const MaybeSym& s, int32_t dtype) {
  if (!s || dtype == TensorProto::BOOL) return s;
  if (is_tracked_float(dtype)) return is_whole(syms, *s) ? real_of(syms, *s, dtype) : s;
  const bool narrow = dtype == TensorProto::INT32;
  if (s->is_literal()) return narrow ? Sym(static_cast<int32_t>(s->literal())) : *s;
  return syms.fits(*s, narrow ? 32 : 64) ? s : MaybeSym();
}

// nullopt: the result is another than was inferred, or no element of it is known.
std::optional<std::vector<MaybeSym>> checked(SymTable& syms, Result result, Type& type) {
  const auto n = result ? count_of(result->extents) : std::nullopt;
  if (!n || static_cast<size_t>(*n) != result->elements.size()) return {};
  if (is_tracked_float(type.dtype) && *n > kMaxMade) return {};
  const Type found = Type::tensor(type.dtype, result->extents);
  if (!merge(type, found).empty()) return {};
  for (MaybeSym& s : result->elements) s = in_type(syms, s, type.dtype);
  const bool none = std::none_of(result->elements.begin(), result->elements.end(),
                                 [](const MaybeSym& s) { return s.has_value(); });
  if (none && !result->elements.empty()) return {};
  return std::move(result->elements);
}

}  // namespace

bool is_whole_shape(const NodeView& node) {
  return node.proto.domain().empty() && node.proto.op_type() == "Shape" &&
         !node.attribute("start") && !node.attribute("end");
}

bool is_tracked(const NodeView& node, const Type& output) {
  const std::string& op = node.proto.op_type();
  return node.proto.domain().empty() && is_tracked_type(output) && (op == "Split" || find_rule(op));
}

std::vector<std::optional<std::vector<MaybeSym>>> tracked_elements(Operands& operands,
                                                                   const NodeView& node,
                                                                   std::vector<Type>& outputs) {
  std::vector<std::optional<std::vector<MaybeSym>>> known(outputs.size());
  if (outputs.empty() || !is_tracked(node, outputs[0])) return known;
  const Type first = outputs[0];
  const Rule r{operands, node, first};
  std::vector<Result> results;
  if (node.proto.op_type() == "Split")
    results = split_rule(r, outputs.size());
  else
    results.push_back(find_rule(node.proto.op_type())(r));
  for (size_t i = 0; i < results.size(); i++)
    known[i] = checked(operands.syms, std::move(results[i]), outputs[i]);
  return known;
}

}  // namespace onnx2fx::conversion
