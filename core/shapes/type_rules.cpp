#include "core/shapes/type_rules.hpp"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <unordered_map>

#include "core/shapes/promotion.hpp"
#include "core/shapes/rules/families.hpp"

namespace onnx2fx::embedded {
extern const std::string_view aten_types_txt;
}

namespace onnx2fx::conversion {
namespace {

using SchemaKind = fx::SchemaType::Kind;

/// "aten::add.Tensor  pointwise promote" -> the words; none of a comment or an empty line.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (size_t at = 0; at < line.size() && line[at] != '#';) {
    const size_t end = std::min(line.find(' ', at), line.size());
    if (end > at) words.emplace_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

using Table = std::unordered_map<std::string, DeclaredRule>;

const Table& table() {
  static const Table all = [] {
    Table t;
    std::string_view text = embedded::aten_types_txt;
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, end);
      if (const auto words = words_of(line); !words.empty())
        t.emplace(words[0], parse_rule(line.substr(words[0].size())));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return t;
  }();
  return all;
}

Operand default_of(const fx::Argument& a) {
  if (a.is_none()) return Operand::none();
  if (const bool* b = a.as<bool>()) return Operand::boolean(*b);
  if (const int64_t* i = a.as<int64_t>()) return Operand::number(MaybeSym(Sym(*i)));
  if (const double* d = a.as<double>()) return Operand::number(std::optional(*d));
  if (const std::string* s = a.as<std::string>()) return Operand::words(*s);
  if (const fx::List* l = a.as<fx::List>()) {
    std::vector<Operand> items;
    for (const fx::Argument& item : *l) items.push_back(default_of(item));
    return Operand::list(std::move(items));
  }
  return Operand::of(Operand::Kind::kOther);
}

uint32_t number_kind(int32_t dtype) {
  if (!dtype) return O2FX_KIND_UNKNOWN;
  if (dtype == onnx::TensorProto::BOOL) return O2FX_KIND_BOOL;
  return is_floating(dtype) ? O2FX_KIND_FLOAT : O2FX_KIND_INT;
}

Type kind_of(const fx::SchemaType& t, std::span<const Operand> operands) {
  Type r;
  if (t.kind == SchemaKind::kStrings) r.dtype = onnx::TensorProto::STRING;
  if (t.optional) return r;
  switch (t.kind) {
    case SchemaKind::kTensor:
    case SchemaKind::kStrings:
      r.kind = O2FX_KIND_TENSOR;
      break;
    case SchemaKind::kInt:
      r.kind = O2FX_KIND_INT;
      break;
    case SchemaKind::kFloat:
      r.kind = O2FX_KIND_FLOAT;
      break;
    case SchemaKind::kBool:
      r.kind = O2FX_KIND_BOOL;
      break;
    case SchemaKind::kNumber:
      if (!operands.empty() && operands[0].type) r.kind = number_kind(operands[0].type->dtype);
      break;
    default:
      break;
  }
  return r;
}

Returned by_schema(const fx::Schema& schema, std::span<const Operand> operands) {
  if (schema.returns.size() == 1 && schema.returns[0].list)
    return {{kind_of(schema.returns[0], operands)}, true};
  Types r;
  for (const fx::SchemaType& t : schema.returns) r.push_back(kind_of(t, operands));
  return r;
}

}  // namespace

/// No size is below 0: the call will not run, and its results have none.
static void forget_impossible(Type& type) {
  if (!type.dims) return;
  for (MaybeSym& d : *type.dims)
    if (d && d->is_literal() && d->literal() < 0) d.reset();
}

DeclaredRule parse_rule(std::string_view line) {
  std::vector<std::string> words = words_of(line);
  for (const TypeRules rules : type_rule_families())
    for (const TypeRule& rule : rules)
      if (!words.empty() && rule.name == words[0])
        return {rule.apply, {words.begin() + 1, words.end()}};
  throw std::invalid_argument("type rule '" + std::string(line) + "': expected one of rules/");
}

const DeclaredRule* find_type_rule(const std::string& target) {
  const auto at = table().find(target);
  return at == table().end() ? nullptr : &at->second;
}

std::vector<std::string> ruled_overloads() {
  std::vector<std::string> r;
  for (const auto& [target, rule] : table()) r.push_back(target);
  std::sort(r.begin(), r.end());
  return r;
}

Returned call_types(const fx::Schema& schema, const DeclaredRule* rule,
                    std::vector<Operand> operands, SymTable& table) {
  Returned known = by_schema(schema, operands);
  if (!rule) return known;
  for (size_t i = 0; i < operands.size(); i++)
    if (const auto& value = schema.arguments[i].default_value;
        operands[i].kind == Operand::Kind::kAbsent && value)
      operands[i] = default_of(*value);
  Returned r = rule->apply(TorchCall(schema, operands, rule->words, table));
  for (Type& type : r.types) forget_impossible(type);
  const bool list = schema.returns.size() == 1 && schema.returns[0].list;
  return list || r.types.size() == schema.returns.size() ? r : known;
}

}  // namespace onnx2fx::conversion
