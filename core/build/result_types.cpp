// What a call returns: by the type rule of its overload; of operators that run programs, by what
// the programs return.
#include <algorithm>

#include "core/build/builder.hpp"
#include "core/build/number_operators.hpp"
#include "core/shapes/real.hpp"

namespace onnx2fx::conversion {

const Type& Builder::completed_type(ValueId id) {
  Value& v = value(id);
  if (v.type.is_tensor() && v.type.dims)
    for (size_t k = 0; k < v.type.dims->size(); k++)
      if (MaybeSym& d = (*v.type.dims)[k]; !d) d = syms.dim(id, static_cast<int64_t>(k));
  return v.type;
}

Operand Builder::operand(ValueId id) {
  const Value& v = value(id);
  if (v.source == ValueSource::kNone) return Operand::none();
  if (v.source == ValueSource::kNumber && v.type.kind == O2FX_KIND_INT)
    return Operand::number((*v.ints)[0]);
  if (v.source == ValueSource::kList) {
    std::vector<Operand> items;
    for (const ValueId item : v.items) items.push_back(operand(item));
    return Operand::list(std::move(items));
  }
  if (v.type.kind == O2FX_KIND_FLOAT) return Operand::number(std::optional<double>());
  if (v.type.kind == O2FX_KIND_BOOL) return Operand::boolean({});
  return Operand::value(completed_type(id));
}

Operand Builder::operand(const o2fx_arg& a) {
  switch (a.tag) {
    case O2FX_T_NONE:
      return Operand::none();
    case O2FX_T_BOOL:
      return Operand::boolean(a.u.i != 0);
    case O2FX_T_TRAINING:
      return Operand::boolean({});
    case O2FX_T_INT:
      return Operand::number(MaybeSym(Sym(a.u.i)));
    case O2FX_T_FLOAT:
      return Operand::number(std::optional(a.u.f));
    case O2FX_T_STR:
      return Operand::words(std::string(a.u.s ? a.u.s : "", a.len));
    case O2FX_T_DTYPE:
      return Operand::of_dtype(static_cast<int32_t>(a.u.i));
    case O2FX_T_VALUE:
      return operand(static_cast<ValueId>(a.u.v));
    case O2FX_T_LIST: {
      std::vector<Operand> items;
      items.reserve(a.len);
      for (uint32_t i = 0; i < a.len; i++) items.push_back(operand(a.u.list[i]));
      return Operand::list(std::move(items));
    }
    default:
      return Operand::of(Operand::Kind::kOther);
  }
}

// ---- Python's operators

namespace {

uint32_t kind_of(const Operand& o) {
  switch (o.kind) {
    case Operand::Kind::kBool:
      return O2FX_KIND_BOOL;
    case Operand::Kind::kInt:
      return O2FX_KIND_INT;
    case Operand::Kind::kFloat:
      return O2FX_KIND_FLOAT;
    case Operand::Kind::kList:
      return O2FX_KIND_SEQUENCE;
    default:
      return o.type ? o.type->kind : uint32_t{O2FX_KIND_UNKNOWN};
  }
}

/// The widest of the operands, where the operator does not say more.
uint32_t number_kind(NumberResult result, const std::vector<Operand>& operands) {
  if (result == NumberResult::kBool) return O2FX_KIND_BOOL;
  if (result == NumberResult::kInt) return O2FX_KIND_INT;
  if (result == NumberResult::kFloat) return O2FX_KIND_FLOAT;
  if (result == NumberResult::kAny) return O2FX_KIND_UNKNOWN;
  constexpr uint32_t kWidening[] = {O2FX_KIND_BOOL, O2FX_KIND_INT, O2FX_KIND_FLOAT};
  const auto* widest = std::begin(kWidening);
  for (const Operand& o : operands) {
    const auto* found = std::ranges::find(kWidening, kind_of(o));
    if (found == std::end(kWidening)) return kind_of(o);
    widest = std::max(widest, found);
  }
  return *widest;
}

/// operator::getitem of a sequence or a tuple.
Type item_type(const std::vector<Operand>& operands) {
  const Type* of = operands.size() == 2 ? operands[0].type : nullptr;
  if (!of) return {};
  if (of->kind == O2FX_KIND_SEQUENCE && of->elem) return *of->elem;
  const MaybeSym& at = operands[1].integer;
  if (!of->items || !at || !at->is_literal()) return {};
  const auto k = static_cast<size_t>(at->literal());
  return k < of->items->size() ? (*of->items)[k] : Type{};
}

}  // namespace

Returned Builder::call_result(const fx::Schema& schema, const o2fx_emit& call) {
  std::vector<Operand> operands(schema.arguments.size());
  for (uint32_t i = 0; i < call.n_args; i++) operands[i] = operand(call.args[i]);
  for (uint32_t i = 0; i < call.n_kwargs; i++) {
    const o2fx_str& name = call.kwargs[i].name;
    operands[*schema.find({name.data, name.len})] = operand(call.kwargs[i].arg);
  }
  return call_types(schema, find_type_rule(schema.name), std::move(operands), syms);
}

// ---- operators that run programs

// An extent that mentions what only a sub-program computes is none outside of it.
bool Builder::is_visible(const Sym& s, size_t depth) {
  for (const Sym::Term& term : s.terms())
    for (const AtomId factor : term.factors) {
      const Atom atom = syms.atom(factor);
      const bool base = atom.kind == AtomKind::kDim || atom.kind == AtomKind::kElement ||
                        atom.kind == AtomKind::kNumber;
      if (atom.real) {
        for (const Sym& size : sizes_in(*atom.real))
          if (!is_visible(size, depth)) return false;
        continue;
      }
      if (!base && !(is_visible(atom.left, depth) && is_visible(atom.right, depth))) return false;
      if (!base) continue;
      if (!alive(atom.value)) return false;
      const Value& v = value(atom.value);
      if (v.source == ValueSource::kNode && !visible(v.program, depth)) return false;
    }
  return true;
}

bool Builder::is_visible(ValueId id, size_t depth) {
  const Value& v = value(id);
  if (v.source == ValueSource::kNode) return visible(v.program, depth);
  const bool sizes = v.source == ValueSource::kNumber || v.source == ValueSource::kInts;
  return !sizes || std::ranges::all_of(
                       *v.ints, [&](const MaybeSym& s) { return !s || is_visible(*s, depth); });
}

Type Builder::seen_outside(Type type) {
  if (type.elem) type.elem = std::make_shared<Type>(seen_outside(*type.elem));
  if (type.dims)
    for (MaybeSym& d : *type.dims)
      if (d && !is_visible(*d, stack_.size())) d.reset();
  return type;
}

Types Builder::types_of(const o2fx_arg& list) {
  Types r;
  for (uint32_t i = 0; list.tag == O2FX_T_LIST && i < list.len; i++) {
    const o2fx_arg& a = list.u.list[i];
    r.push_back(a.tag == O2FX_T_VALUE ? completed_type(a.u.v) : Type{});
  }
  if (list.tag == O2FX_T_VALUE)
    for (const ValueId item : value(list.u.v).items) r.push_back(completed_type(item));
  return r;
}

const OpenProgram& Builder::program_of(const o2fx_arg& a) {
  if (a.tag != O2FX_T_PROGRAM) throw HostError(O2FX_E_INVALID, "expected a program");
  argument(a);  // refuses ids that are no closed program
  return programs_[a.u.v];
}

Types Builder::returns_of(const o2fx_arg& program) {
  Types r;
  for (const Type& t : program_of(program).returns) r.push_back(seen_outside(t));
  return r;
}

// What a formal is said to be holds at every step: what was inferred inside the program rests on
// it. A pack may have said so of its own, but most take it from the model, whose body may break it.
void Builder::check_carried(const o2fx_arg& program, size_t n, size_t formal, size_t result) {
  const OpenProgram& p = program_of(program);
  for (size_t k = 0; k < n; k++) {
    if (k + formal >= p.formal_values.size() || k + result >= p.returns.size()) return;
    Type said = value(p.formal_values[k + formal]).type;
    const Type& given = p.returns[k + result];
    if (!said.is_tensor() || !given.is_tensor()) continue;
    if (const std::string conflict = merge(said, given); !conflict.empty())
      throw HostError(O2FX_E_MODEL, "program '" + p.program.name + "', carried value " +
                                        std::to_string(k) + ": " + conflict +
                                        "; a formal says what is true at every step");
  }
}

Types Builder::step_returns(const o2fx_arg& program, const Types& carried, size_t formal,
                            size_t result) {
  check_carried(program, carried.size(), formal, result);
  const OpenProgram& p = program_of(program);
  std::unordered_map<AtomId, Sym> unchanged;
  for (size_t k = 0; k < carried.size(); k++) {
    if (k + formal >= p.formal_values.size() || k + result >= p.returns.size()) break;
    const std::optional<Dims>&before = value(p.formal_values[k + formal]).type.dims,
          &after = p.returns[k + result].dims, &first = carried[k].dims;
    if (!before || !after || !first || before->size() != after->size()) continue;
    for (size_t d = 0; d < std::min(before->size(), first->size()); d++)
      if (const MaybeSym& extent = (*before)[d]; extent && extent == (*after)[d] && (*first)[d])
        if (const auto atom = extent->as_atom()) unchanged.emplace(*atom, *(*first)[d]);
  }
  Types r = p.returns;
  for (Type& t : r) {
    if (t.dims)
      for (MaybeSym& d : *t.dims)
        if (d) d = syms.replaced(*d, unchanged);
    t = seen_outside(t);
  }
  return r;
}

// Carried values: what the first step is given and what every step gives.
static Types carried(const Types& initial, const Types& results, size_t skip) {
  Types r;
  for (size_t k = 0; k < initial.size(); k++)
    r.push_back(k + skip < results.size() ? common(initial[k], results[k + skip]) : Type{});
  return r;
}

static void add_stacked(Types& to, const Types& results, size_t from, const MaybeSym& steps) {
  for (size_t k = from; k < results.size(); k++) {
    to.push_back(results[k]);
    if (to.back().dims) to.back().dims->insert(to.back().dims->begin(), steps);
  }
}

Types Builder::scan_result(const std::vector<o2fx_arg>& a) {
  const Types initial = types_of(a[1]), slices = types_of(a[2]);
  const Types step = step_returns(a[0], initial, 0, 0);
  Types r = carried(initial, step, 0);
  const bool known = !slices.empty() && slices[0].rank() > 0;
  add_stacked(r, step, initial.size(), known ? (*slices[0].dims)[0] : MaybeSym());
  return r;
}

// The leaf's body takes step and condition before the state, and gives a condition before it.
Types Builder::loop_result(const std::vector<o2fx_arg>& a) {
  const Types initial = types_of(a[3]);
  const Types step = step_returns(a[0], initial, 2, 1);
  Types r = carried(initial, step, 1);
  add_stacked(r, step, initial.size() + 1, {});
  return r;
}

Types Builder::program_result(const std::string& target, const fx::Schema* schema,
                              const o2fx_emit& call) {
  std::vector<o2fx_arg> a(call.args, call.args + call.n_args);
  a.resize(schema ? schema->arguments.size() : a.size());
  for (uint32_t i = 0; i < call.n_kwargs; i++)
    if (const o2fx_str& name = call.kwargs[i].name; schema)
      a[*schema->find({name.data, name.len})] = call.kwargs[i].arg;
  if (target.ends_with("::cond")) return carried(returns_of(a[1]), returns_of(a[2]), 0);
  if (target == "higher_order::scan") return scan_result(a);
  if (target == "onnx2fx::gradient") return types_of(a[1]);
  if (target == "onnx2fx::loop") return loop_result(a);
  const Types initial = types_of(a[2]);
  return carried(initial, step_returns(a[1], initial, 0, 0), 0);
}

bool runs_programs(const std::string& target) {
  return target.starts_with("higher_order::") || target == "onnx2fx::cond" ||
         target == "onnx2fx::loop" || target == "onnx2fx::gradient";
}

Returned Builder::result_types(const std::string& target, const fx::Schema* schema,
                               const o2fx_emit& call) {
  if (runs_programs(target)) {
    Types types = program_result(target, schema, call);
    types.resize(std::max<size_t>(types.size(), call.n_unpack));
    if (!schema)
      for (Type& t : types)
        if (t.kind == O2FX_KIND_UNKNOWN) t.kind = O2FX_KIND_TENSOR;
    return types;
  }
  if (schema) return call_result(*schema, call);
  const NumberOperator* number = find_number_operator(target);
  if (!number) return Types(std::max<size_t>(call.n_unpack, 1));  // a pack's own op
  std::vector<Operand> operands;
  for (uint32_t i = 0; i < call.n_args; i++) operands.push_back(operand(call.args[i]));
  if (target == "operator::getitem") return item_type(operands);
  Type t;
  t.kind = number_kind(number->result, operands);
  return t;
}

// Not unpacked.
Type Builder::raw_type(const Returned& result, bool list) {
  Type t;
  if (!list && result.types.size() == 1) return result.types[0];
  t.kind = list ? O2FX_KIND_SEQUENCE : O2FX_KIND_TUPLE;
  if (!list) {
    t.items = std::make_shared<const Types>(result.types);
  } else if (!result.types.empty()) {
    Type each = result.types[0];
    for (const Type& item : result.types) each = common(each, item);
    t.elem = std::make_shared<const Type>(std::move(each));
  }
  return t;
}

}  // namespace onnx2fx::conversion
