#include "core/build/builder.hpp"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "core/build/names.hpp"
#include "core/shapes/real.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::conversion {

using fx::Argument;
using fx::NodeRef;

namespace {

template <class T, class Number>
void append(std::string& packed, Number x) {
  const T element = static_cast<T>(x);
  packed.append(reinterpret_cast<const char*>(&element), sizeof element);
}

}  // namespace

bool is_literal(const SymTable& syms, const Value& v) {
  const auto& elements = v.ints ? v.ints : v.reals;
  return elements && std::all_of(elements->begin(), elements->end(),
                                 [&](const MaybeSym& s) { return s && literal_of(syms, *s); });
}

std::string packed_literals(const SymTable& syms, const Value& v) {
  std::string r;
  for (const MaybeSym& s : v.ints ? *v.ints : *v.reals) switch (v.type.dtype) {
      case onnx::TensorProto::FLOAT:
        append<float>(r, *literal_of(syms, *s));
        break;
      case onnx::TensorProto::DOUBLE:
        append<double>(r, *literal_of(syms, *s));
        break;
      case onnx::TensorProto::INT64:
        append<int64_t>(r, s->literal());
        break;
      case onnx::TensorProto::INT32:
        append<int32_t>(r, s->literal());
        break;
      default:
        append<uint8_t>(r, s->literal());
    }
  return r;
}

TensorEntry constant_of(const SymTable& syms, const Value& v, const std::string& name) {
  TensorEntry t;
  t.name = name;
  t.dtype = v.type.dtype;
  for (const MaybeSym& d : *v.type.dims) t.dims.push_back(d->literal());
  t.bytes = std::make_shared<const std::string>(packed_literals(syms, v));
  t.role = O2FX_ROLE_CONSTANT;
  return t;
}

Builder::Builder() {
  values_.emplace_back();  // id 0 is "absent"
  programs_.emplace_back().program.name = "root";
  stack_.push_back(0);
}

// ---- values

Value& Builder::value(ValueId id) {
  if (id == 0 || id >= values_.size())
    throw HostError(O2FX_E_INVALID,
                    "value id " + std::to_string(id) + ": expected one of this conversion");
  Value& v = values_[id];
  if (v.source == ValueSource::kDead)
    throw HostError(O2FX_E_INVALID, "value id " + std::to_string(id) +
                                        ": it belongs to a lowering that was undone");
  return v;
}

ValueId Builder::add(Value v) {
  values_.push_back(std::move(v));
  return values_.size() - 1;
}

ValueId Builder::add_tensor(TensorEntry entry) {
  Type type = Type::tensor(entry.dtype, entry.dims);
  tensors_.push_back(std::move(entry));
  return tensor_value(static_cast<uint32_t>(tensors_.size() - 1), std::move(type));
}

ValueId Builder::tensor_value(uint32_t tensor, Type type) {
  Value v;
  v.source = ValueSource::kTensor;
  v.tensor = tensor;
  v.type = std::move(type);
  return add(std::move(v));
}

ValueId Builder::add_ints(std::vector<MaybeSym> ints, Type type) {
  Value v;
  v.source = ValueSource::kInts;
  v.ints = std::move(ints);
  v.type = std::move(type);
  return add(std::move(v));
}

ValueId Builder::add_number(const Sym& s, uint32_t kind) {
  std::string key = std::to_string(kind) + ":";
  for (const Sym::Term& t : s.terms()) {
    key += std::to_string(t.coefficient);
    for (const AtomId a : t.factors) key += "*" + std::to_string(a);
    key += "+";
  }
  ValueId& id = numbers_[key];
  if (id && alive(id)) return id;
  Value v;
  v.source = ValueSource::kNumber;
  v.type.kind = kind;
  v.ints = std::vector<MaybeSym>{s};
  return id = add(std::move(v));
}

ValueId Builder::add_list(std::vector<ValueId> items) {
  Value v;
  v.source = ValueSource::kList;
  v.type.kind = O2FX_KIND_SEQUENCE;
  if (!items.empty()) {
    Type e = value(items[0]).type;  // what is true of every element
    for (const ValueId id : items) {
      const Type& t = value(id).type;
      if (!t.dims || !e.dims || t.dims->size() != e.dims->size()) {
        e.dims.reset();
        break;
      }
      for (size_t i = 0; i < e.dims->size(); i++)
        if (!((*e.dims)[i] == (*t.dims)[i])) (*e.dims)[i].reset();
    }
    v.type.elem = std::make_shared<Type>(std::move(e));
  }
  v.items = std::move(items);
  return add(std::move(v));
}

ValueId Builder::add_none() {
  Value v;
  v.source = ValueSource::kNone;
  v.type.kind = O2FX_KIND_NONE;
  return add(std::move(v));
}

Sym Builder::dim(ValueId id, int64_t axis) {
  Value& v = value(id);
  if (v.type.dims) {
    const int64_t rank = v.type.rank();
    if (axis < -rank || axis >= rank)
      throw HostError(O2FX_E_MODEL, "axis " + std::to_string(axis) +
                                        ": expected one of a value of rank " +
                                        std::to_string(rank));
    if (axis < 0) axis += rank;
    MaybeSym& d = (*v.type.dims)[static_cast<size_t>(axis)];
    if (!d) d = syms.dim(id, axis);
    return *d;
  }
  return syms.dim(id, axis);
}

std::optional<std::vector<Sym>> Builder::ints(ValueId id, bool read_data) {
  Value& v = value(id);
  if (v.source == ValueSource::kNumber) return std::vector<Sym>{*(*v.ints)[0]};
  if (!v.ints) {
    const std::optional<int64_t> n = v.type.count();
    if (!read_data || !n || *n > 4096 || v.source == ValueSource::kList) return {};
    v.ints.emplace(static_cast<size_t>(*n));
  }
  std::vector<Sym> r;
  for (size_t i = 0; i < v.ints->size(); i++) {
    if (!(*v.ints)[i]) {
      if (!read_data) return {};
      (*v.ints)[i] = syms.element(id, static_cast<int64_t>(i));
    }
    r.push_back(*(*v.ints)[i]);
  }
  return r;
}

// ---- programs

std::string Builder::unique_name(OpenProgram& p, const std::string& hint) {
  return p.names.claim(identifier(hint));
}

uint32_t Builder::append(uint32_t program, fx::Node node) {
  if (on_append) on_append();
  std::vector<fx::Node>& nodes = programs_[program].program.nodes;
  nodes.push_back(std::move(node));
  return static_cast<uint32_t>(nodes.size() - 1);
}

ValueId Builder::placeholder(const std::string& name_hint, const Type& type) {
  const uint32_t index = current();
  OpenProgram& p = programs_[index];
  fx::Node node;
  node.op = fx::Op::kPlaceholder;
  node.name = unique_name(p, name_hint);
  node.target = node.name;
  const uint32_t at = append(index, std::move(node));
  Value v;
  v.source = ValueSource::kNode;
  v.program = index;
  v.node = at;
  v.type = type;
  const bool number = type.kind == O2FX_KIND_INT;
  ValueId id = add(std::move(v));
  p.formals.push_back(at);
  p.formal_values.push_back(id);
  if (number) return add_number(syms.number(id));
  if (type.dims)
    for (size_t k = 0; k < type.dims->size(); k++)
      if (const MaybeSym& d = (*type.dims)[k]; d && d->as_atom())
        p.local_dims.try_emplace(*d->as_atom(), at, static_cast<int64_t>(k));
  return id;
}

void Builder::begin(const std::string& name_hint) {
  const std::string base = identifier(name_hint.empty() ? "body" : name_hint);
  OpenProgram& p = programs_.emplace_back();
  p.program.name = base + "_" + std::to_string(programs_.size() - 1);
  stack_.push_back(static_cast<uint32_t>(programs_.size() - 1));
}

uint32_t Builder::end(const o2fx_arg& result) {
  if (result.tag != O2FX_T_VALUE && result.tag != O2FX_T_LIST)
    throw HostError(O2FX_E_INVALID, "program_end: result: expected a VALUE or a LIST");
  const uint32_t index = current();
  Argument r = argument(result);
  OpenProgram& p = programs_[index];
  p.result = std::move(r);
  p.returns = result.tag == O2FX_T_LIST ? types_of(result) : Types{value(result.u.v).type};
  p.state = OpenProgram::State::kEnded;
  stack_.pop_back();
  return index;
}

std::vector<ValueId> Builder::close(std::span<const uint32_t> programs) {
  std::vector<ValueId> order;
  for (const uint32_t index : programs) {
    if (index == 0 || index >= programs_.size() ||
        programs_[index].state == OpenProgram::State::kOpen)
      throw HostError(O2FX_E_INVALID, "program_close: expected an ended program");
    if (programs_[index].state == OpenProgram::State::kClosed)
      throw HostError(O2FX_E_INVALID, "program_close: program '" + programs_[index].program.name +
                                          "' is closed already");
    for (const OpenProgram::Capture& c : programs_[index].captures)
      if (std::find(order.begin(), order.end(), c.outer) == order.end()) order.push_back(c.outer);
  }
  for (const uint32_t index : programs) {
    OpenProgram& p = programs_[index];
    std::vector<OpenProgram::Capture> sorted;
    for (const ValueId outer : order) {
      const auto at = std::find_if(p.captures.begin(), p.captures.end(),
                                   [&](const OpenProgram::Capture& c) { return c.outer == outer; });
      if (at != p.captures.end()) {
        sorted.push_back(*at);
        continue;
      }
      fx::Node node;
      node.op = fx::Op::kPlaceholder;
      node.name = unique_name(p, "unused");
      node.target = node.name;
      sorted.push_back({outer, append(index, std::move(node))});
    }
    p.captures = std::move(sorted);
    p.state = OpenProgram::State::kClosed;
  }
  return order;
}

// ---- transactions

Builder::Mark Builder::mark() const {
  Mark m{values_.size(), programs_.size(), undo_.size(), stack_, {}};
  for (const uint32_t p : stack_)
    m.open.push_back({p, programs_[p].program.nodes.size(), programs_[p].captures.size(),
                      programs_[p].log.size()});
  return m;
}

void Builder::rollback(const Mark& m) {
  while (undo_.size() > m.undo) {
    undo_.back()();
    undo_.pop_back();
  }
  for (size_t i = m.values; i < values_.size(); i++) values_[i] = Value{};
  for (size_t i = m.programs; i < programs_.size(); i++)
    programs_[i] = OpenProgram{};  // indices are never reused
  stack_ = m.stack;
  for (const Mark::ProgramMark& mark : m.open) {
    OpenProgram& p = programs_[mark.program];
    while (p.log.size() > mark.log) {
      const auto undo = std::move(p.log.back());
      p.log.pop_back();
      undo(p);
    }
    p.captures.resize(mark.captures);
    p.program.nodes.resize(mark.nodes);
  }
}

}  // namespace onnx2fx::conversion
