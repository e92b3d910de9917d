// Answers, line by line, what the type rules say of a call: JSON in, JSON out. `--list` prints the
// overloads that have a rule. Driven by test_type_rules.py.
//
//   {"target": "aten::add.Tensor", "args": [{"tensor": ["float32", ["n", 3]]}, ...], "kwargs": {}}
//   {"types": [{"kind": 1, "dtype": "float32", "dims": ["n", 3]}], "open": false}
//
// A size is a number, a name, or [operator, size, size]; null is unknown. "rule": another rule than
// the table's.
#include <deque>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "core/shapes/type_rules.hpp"
#include "core/weights/weights.hpp"

using namespace onnx2fx::conversion;
using Json = nlohmann::json;
namespace fx = onnx2fx::fx;

namespace {

constexpr int32_t kString = 8;

int32_t dtype_named(const std::string& name) {
  if (name == "string") return kString;
  for (int32_t d = 1; d < 32; d++)
    if (onnx2fx::weights::carrier(d) == name) return d;
  throw std::invalid_argument("dtype '" + name + "'");
}

class Reader {
 public:
  explicit Reader(SymTable& table) : table_(table), sizes_(table) {}

  Operand operand(const Json& j) {
    if (j.is_null()) return Operand::none();
    if (j.is_boolean()) return Operand::boolean(j.get<bool>());
    if (j.is_number_integer()) return Operand::number(MaybeSym(Sym(j.get<int64_t>())));
    if (j.is_number()) return Operand::number(std::optional(j.get<double>()));
    if (j.is_string()) return Operand::words(j.get<std::string>());
    if (j.is_array()) {
      std::vector<Operand> items;
      for (const Json& item : j) items.push_back(operand(item));
      return Operand::list(std::move(items));
    }
    if (j.contains("dtype")) return Operand::of_dtype(dtype_named(j["dtype"]));
    if (j.contains("size")) return Operand::number(size(j["size"]));
    return Operand::value(tensor(j.at("tensor")));
  }

 private:
  MaybeSym size(const Json& j) {
    if (j.is_null()) return {};
    if (j.is_number()) return Sym(j.get<int64_t>());
    if (j.is_string()) {
      const std::string name = j.get<std::string>();
      const auto [at, fresh] = ids_.try_emplace(name, ids_.size() + 1);
      return table_.dim(at->second, 0, name);
    }
    const MaybeSym a = size(j.at(1)), b = size(j.at(2));
    const std::string op = j.at(0);
    if (op == "+") return sizes_.add(a, b);
    if (op == "-") return sizes_.sub(a, b);
    if (op == "*") return sizes_.mul(a, b);
    if (op == "//") return sizes_.floordiv(a, b);
    throw std::invalid_argument("operator '" + op + "'");
  }

  const Type& tensor(const Json& j) {
    std::optional<Dims> dims;
    if (!j.at(1).is_null()) {
      dims.emplace();
      for (const Json& d : j.at(1)) dims->push_back(size(d));
    }
    types_.push_back(tensor_of(j.at(0).is_null() ? 0 : dtype_named(j.at(0)), std::move(dims)));
    return types_.back();
  }

  SymTable& table_;
  Sizes sizes_;
  std::map<std::string, uint64_t> ids_;
  std::deque<Type> types_;
};

Json written(const Type& type, SymTable& table) {
  Json j = {{"kind", type.kind}, {"dtype", nullptr}, {"dims", nullptr}};
  if (type.dtype)
    j["dtype"] = type.dtype == kString ? "string" : onnx2fx::weights::carrier(type.dtype);
  if (!type.dims) return j;
  j["dims"] = Json::array();
  for (const MaybeSym& d : *type.dims)
    j["dims"].push_back(!d ? Json() : d->is_literal() ? Json(d->literal()) : Json(table.text(*d)));
  return j;
}

Json answer(const Json& request) {
  const std::string target = request.at("target");
  const fx::Schema* schema = fx::find_schema(target);
  if (!schema) throw std::invalid_argument("no schema of " + target);
  SymTable table;
  Reader reader(table);
  std::vector<Operand> operands(schema->arguments.size());
  size_t i = 0;
  for (const Json& a : request.at("args")) operands.at(i++) = reader.operand(a);
  for (const auto& [name, a] : request.at("kwargs").items())
    operands.at(schema->find(name).value()) = reader.operand(a);
  const DeclaredRule* rule = find_type_rule(target);
  DeclaredRule other;
  if (request.contains("rule")) {
    other = parse_rule(request["rule"].get<std::string>());
    rule = &other;
  }
  const Returned r = call_types(*schema, rule, std::move(operands), table);
  Json types = Json::array();
  for (const Type& t : r.types) types.push_back(written(t, table));
  return {{"types", std::move(types)}, {"open", r.open}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "--list") {
    for (const std::string& target : ruled_overloads()) std::cout << target << "\n";
    return 0;
  }
  for (std::string line; std::getline(std::cin, line);) {
    try {
      std::cout << answer(Json::parse(line)).dump() << std::endl;
    } catch (const std::exception& e) {
      std::cout << Json{{"error", e.what()}}.dump() << std::endl;
    }
  }
  return 0;
}
