// Builder::emit: one call is checked against the torch schema, folded if it is arithmetic on sizes,
// appended.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>

#include "core/build/builder.hpp"
#include "core/build/target_hint.hpp"
#include "core/fx/purity.hpp"

namespace onnx2fx::conversion {

using fx::Argument;
using fx::NodeRef;
using fx::SchemaType;

namespace {

/// Rows of core/fx/higher_order.def.
struct HigherOrder {
  std::string_view target;
  uint32_t first_program, n_programs;  ///< among its arguments
};
constexpr HigherOrder kHigherOrder[] = {
#define HIGHER_ORDER(name, first_program, n_programs) \
  {"higher_order::" #name, first_program, n_programs},
#include "core/fx/higher_order.def"
};

/// Null: there is none.
template <class Row, size_t kSize>
const Row* find(const Row (&rows)[kSize], std::string_view target) {
  const Row* row = std::ranges::find(rows, target, &Row::target);
  return row == std::end(rows) ? nullptr : row;
}

std::string text_of(o2fx_str s) { return s.data ? std::string(s.data, s.len) : std::string(); }

std::string type_name(uint32_t kind) {
  static constexpr const char* kName[] = {"a value", "a tensor",        "a sequence", "an optional",
                                          "a map",   "a sparse tensor", "an int",     "None",
                                          "a tuple", "a float",         "a bool"};
  return kind < std::size(kName) ? kName[kind] : "a value";
}

std::string signature(const fx::Schema& schema) {
  std::string s = schema.name + "(";
  for (size_t i = 0; i < schema.arguments.size(); i++) {
    const fx::SchemaArgument& a = schema.arguments[i];
    s += (i ? ", " : "") + fx::to_string(a.type) + " " + a.name;
  }
  return s + ")";
}

}  // namespace

std::string Builder::describe(const o2fx_arg& a) {
  static constexpr const char* kName[] = {"None",
                                          "a bool",
                                          "an int",
                                          "a float",
                                          "a string",
                                          "a value",
                                          "a program",
                                          "a dtype",
                                          "a device",
                                          "a layout",
                                          "a memory format",
                                          "a list",
                                          "the training flag",
                                          "a device"};
  if (a.tag == O2FX_T_VALUE) return type_name(value(a.u.v).type.kind);
  return a.tag < std::size(kName) ? kName[a.tag] : "an unknown tag";
}

static bool value_fits(const Value& v, const SchemaType& t, bool element) {
  using K = SchemaType::Kind;
  if (t.kind == K::kAny) return true;
  if (v.source == ValueSource::kNone) return element ? t.element_optional : t.optional;
  const uint32_t kind = v.type.kind;
  if (kind == O2FX_KIND_UNKNOWN || kind == O2FX_KIND_OPTIONAL) return true;
  const bool string = v.type.dtype == onnx::TensorProto::STRING;
  switch (t.kind) {
    case K::kTensor:
      return kind == O2FX_KIND_TENSOR && !string;
    case K::kStrings:
      return kind == O2FX_KIND_TENSOR && (string || !v.type.dtype);
    case K::kInt:
      return kind == O2FX_KIND_INT || kind == O2FX_KIND_BOOL;
    case K::kFloat:
    case K::kNumber:
      return kind == O2FX_KIND_INT || kind == O2FX_KIND_FLOAT || kind == O2FX_KIND_BOOL;
    case K::kBool:
      return kind == O2FX_KIND_BOOL;
    default:
      return false;
  }
}

bool Builder::fits(const o2fx_arg& a, const SchemaType& t, bool element) {
  using K = SchemaType::Kind;
  if (a.tag == O2FX_T_NONE) return t.kind == K::kAny || (element ? t.element_optional : t.optional);
  if (t.list && !element) {
    if (a.tag == O2FX_T_LIST)
      return std::all_of(a.u.list, a.u.list + a.len,
                         [&](const o2fx_arg& x) { return fits(x, t, true); });
    if (a.tag == O2FX_T_INT) return t.kind == K::kInt && t.list_size > 0;
    if (a.tag != O2FX_T_VALUE) return false;
    const Value& v = value(a.u.v);
    if (v.source == ValueSource::kNone) return t.optional;
    return v.type.kind == O2FX_KIND_SEQUENCE || v.type.kind == O2FX_KIND_UNKNOWN;
  }
  switch (a.tag) {
    case O2FX_T_VALUE:
      return value_fits(value(a.u.v), t, element);
    case O2FX_T_BOOL:
      return t.kind == K::kBool || t.kind == K::kNumber || t.kind == K::kAny;
    case O2FX_T_TRAINING:
      return t.kind == K::kBool || t.kind == K::kAny;
    case O2FX_T_INT:
      return t.kind == K::kInt || t.kind == K::kFloat || t.kind == K::kNumber || t.kind == K::kAny;
    case O2FX_T_FLOAT:
      return t.kind == K::kFloat || t.kind == K::kNumber || t.kind == K::kAny;
    case O2FX_T_STR:
      return t.kind == K::kStr || t.kind == K::kAny;
    case O2FX_T_DTYPE:
      return t.kind == K::kScalarType || t.kind == K::kAny;
    case O2FX_T_DEVICE:
    case O2FX_T_DEVICE_OF:
      return t.kind == K::kDevice;
    case O2FX_T_LAYOUT:
      return t.kind == K::kLayout;
    case O2FX_T_MEMORY_FORMAT:
      return t.kind == K::kMemoryFormat;
    case O2FX_T_PROGRAM:
      return t.kind == K::kProgram;
    case O2FX_T_LIST:
      return t.kind == K::kAny;
    default:
      return false;
  }
}

bool Builder::is_tensor_of(const o2fx_arg& a, bool strings) {
  if (a.tag == O2FX_T_LIST)
    return std::any_of(a.u.list, a.u.list + a.len,
                       [&](const o2fx_arg& x) { return is_tensor_of(x, strings); });
  if (a.tag != O2FX_T_VALUE) return false;
  const Type& t = type(a.u.v);
  return t.kind == O2FX_KIND_TENSOR && t.dtype && strings == (t.dtype == onnx::TensorProto::STRING);
}

const o2fx_arg* Builder::given_misfit(const o2fx_arg& a, const SchemaType& t, bool element) {
  if (a.tag == O2FX_T_LIST && t.list && !element) {
    for (uint32_t i = 0; i < a.len; i++)
      if (const o2fx_arg* x = given_misfit(a.u.list[i], t, true)) return x;
    return nullptr;
  }
  if (a.tag != O2FX_T_VALUE || a.u.v >= context.first_own || fits(a, t, element)) return nullptr;
  const uint32_t kind = type(a.u.v).kind;
  const bool number = kind == O2FX_KIND_INT || kind == O2FX_KIND_FLOAT || kind == O2FX_KIND_BOOL;
  return number ? nullptr : &a;
}

void Builder::check_arguments(const fx::Schema& schema, const o2fx_emit& call) {
  const auto fail = [&](const std::string& what) {
    throw HostError(O2FX_E_SCHEMA,
                    schema.name + ": " + what + "; the schema is " + signature(schema));
  };
  std::vector<bool> given(schema.arguments.size());
  if (call.n_args > schema.arguments.size())
    fail("expected at most " + std::to_string(schema.arguments.size()) + " arguments, got " +
         std::to_string(call.n_args));
  const auto check = [&](size_t i, const o2fx_arg& a) {
    const fx::SchemaArgument& formal = schema.arguments[i];
    given[i] = true;
    if (fits(a, formal.type, false)) return;
    if (is_tensor_of(a, /*strings=*/true))
      throw HostError(O2FX_E_MODEL, "expected a tensor of numbers, got one of strings");
    if (formal.type.kind == SchemaType::Kind::kStrings && is_tensor_of(a, /*strings=*/false))
      throw HostError(O2FX_E_MODEL, "expected a tensor of strings, got one of numbers");
    if (const o2fx_arg* given = given_misfit(a, formal.type))
      throw HostError(O2FX_E_MODEL,
                      "expected " + fx::to_string(formal.type) + ", got " + describe(*given));
    fail("argument '" + formal.name + "': expected " + fx::to_string(formal.type) + ", got " +
         describe(a));
  };
  for (uint32_t i = 0; i < call.n_args; i++) {
    if (schema.arguments[i].kw_only)
      fail("argument '" + schema.arguments[i].name + "': expected it by keyword");
    check(i, call.args[i]);
  }
  for (uint32_t i = 0; i < call.n_kwargs; i++) {
    const std::string name = text_of(call.kwargs[i].name);
    const std::optional<size_t> at = schema.find(name);
    if (!at) fail("keyword '" + name + "': expected an argument of the schema");
    if (given[*at]) fail("argument '" + name + "': given twice");
    check(*at, call.kwargs[i].arg);
  }
  for (size_t i = 0; i < given.size(); i++)
    if (!given[i] && !schema.arguments[i].has_default)
      fail("argument '" + schema.arguments[i].name + "': expected a value, got none");
}

// Operands of a higher-order operator against the formals of its programs.
void Builder::check_operands(const o2fx_emit& call, const std::string& target) {
  const bool scan = target == "higher_order::scan";
  const auto [unused, first, n_programs] = *find(kHigherOrder, target);
  const auto fail = [&](const std::string& what) {
    throw HostError(O2FX_E_SCHEMA, target + ": " + what);
  };
  if (call.n_args != 4 || call.n_kwargs)
    fail("expected 4 arguments and no keywords, got " + std::to_string(call.n_args) + " and " +
         std::to_string(call.n_kwargs));
  std::vector<const o2fx_arg*> operands;
  for (uint32_t i = 0; i < call.n_args; i++) {
    const o2fx_arg& a = call.args[i];
    if (i >= first && i < first + n_programs) {
      if (a.tag != O2FX_T_PROGRAM)
        fail("argument " + std::to_string(i) + ": expected a program, got " + describe(a));
    } else if (i > first) {
      if (a.tag != O2FX_T_LIST)
        fail("argument " + std::to_string(i) + ": expected a list, got " + describe(a));
      for (uint32_t k = 0; k < a.len; k++) operands.push_back(&a.u.list[k]);
    }
  }
  for (uint32_t i = first; i < first + n_programs; i++) {
    argument(call.args[i]);  // refuses ids that are no closed program
    const OpenProgram& p = programs_[call.args[i].u.v];
    const size_t expected = p.formals.size() + p.captures.size();
    if (expected != operands.size())
      fail("program '" + p.program.name + "': expected " + std::to_string(expected) +
           " operands, got " + std::to_string(operands.size()));
    for (size_t k = 0; k < p.formal_values.size(); k++) {
      if (operands[k]->tag != O2FX_T_VALUE) continue;
      const Type& formal = value(p.formal_values[k]).type;
      const Type& actual = value(operands[k]->u.v).type;
      if (formal.dtype && actual.dtype && formal.dtype != actual.dtype)
        fail("program '" + p.program.name + "', operand " + std::to_string(k) +
             ": expected dtype " + std::to_string(formal.dtype) + ", got " +
             std::to_string(actual.dtype));
      if (!scan && formal.dims && actual.dims && formal.rank() != actual.rank())
        fail("program '" + p.program.name + "', operand " + std::to_string(k) + ": expected rank " +
             std::to_string(formal.rank()) + ", got " + std::to_string(actual.rank()));
    }
  }
}

// Arithmetic on ints makes no node: it becomes one where the result is used.
std::optional<ValueId> Builder::fold_number(const std::string& target, const o2fx_emit& call) {
  std::vector<Sym> x;
  for (uint32_t i = 0; i < call.n_args; i++) {
    const o2fx_arg& a = call.args[i];
    if (a.tag == O2FX_T_INT) {
      x.emplace_back(a.u.i);
    } else if (a.tag == O2FX_T_VALUE && value(a.u.v).source == ValueSource::kNumber) {
      x.push_back(*(*value(a.u.v).ints)[0]);
    } else {
      return {};
    }
  }
  MaybeSym r;
  if (x.size() == 1 && target == "operator::neg") r = syms.mul(x[0], Sym(-1));
  if (x.size() == 2) {
    if (target == "operator::add") r = syms.add(x[0], x[1]);
    if (target == "operator::sub") r = syms.add(x[0], x[1], -1);
    if (target == "operator::mul") r = syms.mul(x[0], x[1]);
    if (target == "operator::floordiv") r = syms.floordiv(x[0], x[1]);
    if (target == "operator::mod") r = syms.mod(x[0], x[1]);
    if (target == "torch::sym_max") r = syms.max(x[0], x[1]);
    if (target == "torch::sym_min") r = syms.min(x[0], x[1]);
  }
  return r ? std::optional(add_number(*r)) : std::nullopt;
}

// A tensor that somebody gave the role MUTATED is state, and meant to be written.
bool Builder::is_state(const o2fx_arg& a) {
  if (a.tag != O2FX_T_VALUE || value(a.u.v).source != ValueSource::kTensor) return false;
  return tensors_[value(a.u.v).tensor].role == O2FX_ROLE_MUTATED;
}

bool Builder::writes_state_alone(const fx::Schema& schema, const o2fx_emit& call) {
  size_t written = 0;
  for (size_t i = 0; i < schema.arguments.size(); i++) {
    if (!schema.arguments[i].mutated) continue;
    if (i >= call.n_args || !is_state(call.args[i])) return false;
    written++;
  }
  return written > 0;
}

// Null: no schema is known, the target is allowed all the same.
const fx::Schema* Builder::check_target(const std::string& target, const o2fx_emit& call) {
  if (find(kHigherOrder, target)) {
    check_operands(call, target);
    return nullptr;
  }
  if (is_number_target(target)) {
    check_numbers(target, call);
    return nullptr;
  }
  if (const fx::Schema* schema = fx::find_schema(target)) {
    const std::string why = fx::impurity(*schema);
    if (!why.empty() && !writes_state_alone(*schema, call))
      throw HostError(O2FX_E_SCHEMA, target + ": " + why);
    check_arguments(*schema, call);
    return schema;
  }
  if (!context.allow_target || !context.allow_target(target))
    throw HostError(O2FX_E_SCHEMA,
                    "torch op '" + target +
                        "': expected an operator of the ATen table, a higher-order operator, "
                        "or one declared as torch_targets in the plugin's descriptor" +
                        target_hint(target));
  return nullptr;
}

// Sizes that are known make no node.
std::optional<ValueId> Builder::fold(const std::string& target, const o2fx_emit& call) {
  if (is_number_target(target)) return fold_number(target, call);
  if (target == "aten::sym_size.int" && call.args[1].tag == O2FX_T_INT)
    return add_number(dim(call.args[0].u.v, call.args[1].u.i));
  if (target == "aten::_local_scalar_dense")
    if (const auto known = ints(call.args[0].u.v, false);
        known && known->size() == 1 && type(call.args[0].u.v).dtype != onnx::TensorProto::BOOL)
      return add_number((*known)[0]);
  return {};
}

uint32_t Builder::append_call(const std::string& target, const o2fx_emit& call) {
  fx::Node node;
  node.target = target;
  for (uint32_t i = 0; i < call.n_args; i++) node.args.push_back(argument(call.args[i]));
  for (uint32_t i = 0; i < call.n_kwargs; i++)
    node.kwargs.emplace_back(text_of(call.kwargs[i].name), argument(call.kwargs[i].arg));
  const std::string hint = text_of(call.name_hint);
  node.name = unique_name(programs_[current()], hint.empty() ? context.name_base : hint);
  node.onnx = context.provenance;
  return append(current(), std::move(node));
}

ValueId Builder::add_result(uint32_t node, Type type) {
  Value v;
  v.source = ValueSource::kNode;
  v.program = current();
  v.node = node;
  v.type = std::move(type);
  const bool is_int = v.type.kind == O2FX_KIND_INT;
  const ValueId id = add(std::move(v));
  return is_int ? add_number(syms.number(id)) : id;
}

std::vector<ValueId> Builder::unpack(uint32_t node, const Returned& result, bool list, uint32_t n) {
  const fx::Node& call = programs_[current()].program.nodes[node];
  const std::string name = call.name;
  const size_t known = result.types.size();
  if (!result.open && (list ? n > known : n != known))
    throw HostError(O2FX_E_SCHEMA, call.target + ": expected n_unpack " + (list ? "<= " : "= ") +
                                       std::to_string(known) + ", got " + std::to_string(n));
  std::vector<ValueId> results;
  for (uint32_t i = 0; i < n; i++) {
    fx::Node item;
    item.target = "operator::getitem";
    item.args = {NodeRef{node}, static_cast<int64_t>(i)};
    item.name = unique_name(programs_[current()], name);
    item.onnx = context.provenance;
    results.push_back(
        add_result(append(current(), std::move(item)), result.types[result.open ? 0 : i]));
  }
  return results;
}

static bool returns_one(const fx::Schema* schema) {
  return schema && schema->returns.size() == 1 && !schema->returns[0].list &&
         schema->returns[0].kind != SchemaType::Kind::kAny;
}

std::vector<ValueId> Builder::emit(const o2fx_emit& call) {
  const std::string target = text_of(call.target);
  if (call.reserved)
    throw HostError(O2FX_E_INVALID,
                    "emit: reserved: expected 0, got " + std::to_string(call.reserved));
  const fx::Schema* schema = check_target(target, call);
  if (call.n_unpack && returns_one(schema))
    throw HostError(O2FX_E_SCHEMA,
                    target + ": expected n_unpack = 0, as its result is no tuple or list, got " +
                        std::to_string(call.n_unpack));
  if (const auto folded = fold(target, call)) return {*folded};
  const bool list = schema && schema->returns.size() == 1 && schema->returns[0].list;
  const Returned result = result_types(target, schema, call);
  const uint32_t node = append_call(target, call);
  if (call.n_unpack == 0) return {add_result(node, raw_type(result, list))};
  return unpack(node, result, list, call.n_unpack);
}

}  // namespace onnx2fx::conversion
