// Builder: how a value is mentioned in the current program: get_attr, capture, sizes made into
// nodes.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "core/build/builder.hpp"
#include "core/build/names.hpp"
#include "core/shapes/real.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::conversion {

using fx::Argument;
using fx::NodeRef;

NodeRef Builder::capture(size_t level, ValueId id) {
  OpenProgram& p = programs_[stack_[level]];
  for (const OpenProgram::Capture& c : p.captures)
    if (c.outer == id) return {c.node};
  const Value& outer = value(id);
  fx::Node node;
  node.op = fx::Op::kPlaceholder;
  node.name = unique_name(p, outer.source == ValueSource::kTensor ? tensors_[outer.tensor].name
                             : outer.source == ValueSource::kNode
                                 ? programs_[outer.program].program.nodes[outer.node].name
                                 : "captured");
  node.target = node.name;
  const uint32_t at = append(stack_[level], std::move(node));
  p.captures.push_back({id, at});
  if (outer.type.dims)
    for (size_t k = 0; k < outer.type.dims->size(); k++)
      if (const MaybeSym& d = (*outer.type.dims)[k];
          d && d->as_atom() && !p.local_dims.count(*d->as_atom())) {
        const AtomId a = *d->as_atom();
        p.local_dims[a] = {at, static_cast<int64_t>(k)};
        p.log.push_back([a](OpenProgram& q) { q.local_dims.erase(a); });
      }
  return {at};
}

NodeRef Builder::tensor_node(size_t level, ValueId id) {
  const Value& v = value(id);
  const TensorEntry& t = tensors_[v.tensor];
  if (t.dtype == onnx::TensorProto::STRING) {
    fx::List items;
    if (t.proto)
      for (const std::string& s : t.proto->string_data()) items.emplace_back(s);
    fx::List dims;
    for (const int64_t d : t.dims) dims.emplace_back(d);
    return call_at(level, "onnx2fx::strings",
                   {Argument(std::move(items)), Argument(std::move(dims))});
  }
  if (level > 0) return capture(level, id);
  OpenProgram& root = programs_[0];
  if (const auto it = root.tensors.find(v.tensor); it != root.tensors.end()) return {it->second};
  fx::Node node;
  node.op = fx::Op::kGetAttr;
  node.name = unique_name(root, t.name);
  node.tensor = v.tensor;
  const uint32_t at = append(0, std::move(node));
  root.tensors.emplace(v.tensor, at);
  root.log.push_back([tensor = v.tensor](OpenProgram& p) { p.tensors.erase(tensor); });
  return {at};
}

NodeRef Builder::reference(size_t level, ValueId id) {
  if (const auto it = context.replaced.find(id); it != context.replaced.end()) id = it->second;
  const Value& v = value(id);
  switch (v.source) {
    case ValueSource::kTensor:
      return tensor_node(level, id);
    case ValueSource::kInts:
      return materialise(level, id);
    case ValueSource::kNode: {
      if (v.program == stack_[level]) return {v.node};
      for (size_t k = 0; k < level; k++)
        if (stack_[k] == v.program) return capture(level, id);
      throw HostError(O2FX_E_INVALID, "value '" + programs_[v.program].program.nodes[v.node].name +
                                          "': it belongs to a program that has ended");
    }
    default:
      throw HostError(O2FX_E_INVALID, "value id " + std::to_string(id) + ": expected a tensor");
  }
}

NodeRef Builder::call_at(size_t level, const std::string& target, std::vector<Argument> args,
                         std::vector<fx::NamedArgument> kwargs) {
  OpenProgram& p = programs_[stack_[level]];
  fx::Node node;
  node.target = target;
  const size_t colon = target.rfind(':');
  std::string short_name = target.substr(colon == std::string::npos ? 0 : colon + 1);
  node.name = unique_name(p, short_name.substr(0, short_name.find('.')));
  node.args = std::move(args);
  node.kwargs = std::move(kwargs);
  node.onnx = context.provenance;
  return {append(stack_[level], std::move(node))};
}

static NodeRef node_in(const Argument& a) {
  const NodeRef* node = a.as<NodeRef>();
  if (!node) throw HostError(O2FX_E_INTERNAL, "an expression in sizes turned out to be a literal");
  return *node;
}

// A truth as a number, without a branch: what is above 0 is cut to 1.
static MaybeSym numeric(SymTable& syms, const Atom& truth) {
  const MaybeSym d = syms.add(truth.right, truth.left, -1);
  const MaybeSym minus = d ? syms.mul(*d, Sym(-1)) : MaybeSym();
  const bool less = truth.kind == AtomKind::kLess;
  const MaybeSym above = d && minus ? syms.max(*d, less ? Sym(0) : *minus) : MaybeSym();
  const MaybeSym cut = above ? syms.min(*above, Sym(1)) : MaybeSym();
  if (!cut) throw HostError(O2FX_E_UNSUPPORTED, "an expression in sizes is too large");
  return less ? cut : syms.negation(*cut);
}

NodeRef Builder::atom_node(size_t level, AtomId a) {
  OpenProgram& p = programs_[stack_[level]];
  const std::string key = "#" + std::to_string(a);
  if (const auto it = p.numbers.find(key); it != p.numbers.end()) return {it->second};
  const Atom atom = syms.atom(a);
  NodeRef r{};
  switch (atom.kind) {
    case AtomKind::kDim: {
      const auto local = p.local_dims.find(a);
      NodeRef x =
          local != p.local_dims.end() ? NodeRef{local->second.first} : reference(level, atom.value);
      const int64_t axis = local != p.local_dims.end() ? local->second.second : atom.index;
      if (value(atom.value).type.dtype ==
          onnx::TensorProto::STRING) {  // no torch tensor: its positions are
        x = call_at(level, "onnx2fx::strings_positions", {fx::List{x}});
        x = call_at(level, "operator::getitem", {x, int64_t{0}});
      }
      r = call_at(level, "aten::sym_size.int", {x, axis});
      break;
    }
    case AtomKind::kElement: {
      NodeRef flat = reference(level, atom.value);
      const Type& t = value(atom.value).type;
      if (t.rank() != 0) {
        if (t.rank() != 1) flat = call_at(level, "aten::reshape", {flat, fx::List{int64_t{-1}}});
        flat = call_at(level, "aten::select.int", {flat, int64_t{0}, atom.index});
      }
      r = call_at(level, "aten::_local_scalar_dense", {flat});
      break;
    }
    case AtomKind::kNumber:
      r = reference(level, atom.value);
      break;
    case AtomKind::kRounding: {
      static constexpr const char* kTarget[] = {"math::floor", "math::ceil", "math::trunc"};
      r = call_at(level, kTarget[atom.index], {real_number(level, *atom.real)});
      break;
    }
    case AtomKind::kEqual:
    case AtomKind::kLess:
      r = node_in(number(level, *numeric(syms, atom)));
      break;
    case AtomKind::kReal:
      throw HostError(O2FX_E_INTERNAL, "a real number was to be emitted");
    default: {
      static constexpr const char* kTarget[] = {"operator::floordiv", "operator::mod",
                                                "torch::sym_max", "torch::sym_min"};
      const char* target =
          kTarget[static_cast<int>(atom.kind) - static_cast<int>(AtomKind::kFloorDiv)];
      const Argument left = number(level, atom.left);
      const Argument right = number(level, atom.right);
      r = call_at(level, target, {left, right});
    }
  }
  p.numbers.emplace(key, r.index);
  p.log.push_back([key](OpenProgram& q) { q.numbers.erase(key); });
  return r;
}

Argument Builder::product_of(size_t level, const std::vector<AtomId>& factors, int64_t scale) {
  if (factors.empty()) return scale;
  Argument product = atom_node(level, factors[0]);
  if (scale == -1) product = call_at(level, "operator::neg", {product});
  if (scale != 1 && scale != -1) product = call_at(level, "operator::mul", {scale, product});
  for (size_t i = 1; i < factors.size(); i++)
    product = call_at(level, "operator::mul", {product, atom_node(level, factors[i])});
  return product;
}

// As Python floats compute it: see core/shapes/real.hpp for why that is the same.
Argument Builder::real_number(size_t level, const Real& x) {
  static constexpr const char* kTarget[] = {"operator::add", "operator::sub", "operator::mul",
                                            "operator::truediv"};
  switch (x.form) {
    case Real::Form::kLiteral:
      return x.literal;
    case Real::Form::kSize:
      return call_at(level, "torch::sym_float", {number(level, x.size)});
    case Real::Form::kRounded:
      return real_number(level, *x.a);
    case Real::Form::kRoot:
      return call_at(level, "torch::sym_sqrt", {real_number(level, *x.a)});
    default: {
      const auto which = static_cast<size_t>(x.form) - static_cast<size_t>(Real::Form::kAdd);
      const Argument a = real_number(level, *x.a), b = real_number(level, *x.b);
      return call_at(level, kTarget[which], {a, b});
    }
  }
}

Argument Builder::number(size_t level, const Sym& s) {
  if (s.is_literal()) return s.literal();
  if (const auto a = s.as_atom()) return atom_node(level, *a);
  OpenProgram& p = programs_[stack_[level]];
  const std::string key = syms.text(s);
  if (const auto it = p.numbers.find(key); it != p.numbers.end()) return NodeRef{it->second};
  std::vector<Sym::Term> terms(s.terms().rbegin(), s.terms().rend());  // the constant comes last
  std::stable_partition(terms.begin(), terms.end(),
                        [](const Sym::Term& t) { return t.coefficient > 0; });
  Argument sum;
  for (const Sym::Term& t : terms) {
    // What is taken away needs a positive term before it, and a number that can be negated.
    const bool minus = !sum.is_none() && t.coefficient < 0 && t.coefficient > -INT64_MAX;
    const Argument product = product_of(level, t.factors, minus ? -t.coefficient : t.coefficient);
    const char* target = minus ? "operator::sub" : "operator::add";
    sum = sum.is_none() ? product : Argument(call_at(level, target, {sum, product}));
  }
  const NodeRef r = *sum.as<NodeRef>();
  p.numbers.emplace(key, r.index);
  p.log.push_back([key](OpenProgram& q) { q.numbers.erase(key); });
  return r;
}

// A truth as a Python bool.
Argument Builder::truth(size_t level, const Sym& s) {
  if (s.is_literal()) return s.literal() != 0;
  const std::string key = "?" + syms.text(s);
  if (const auto it = programs_[stack_[level]].numbers.find(key);
      it != programs_[stack_[level]].numbers.end())
    return NodeRef{it->second};
  const NodeRef r = truth_node(level, s);
  OpenProgram& p = programs_[stack_[level]];
  p.numbers.emplace(key, r.index);
  p.log.push_back([key](OpenProgram& q) { q.numbers.erase(key); });
  return r;
}

// By the cases of a truth that it is made of, as far as they are plain.
NodeRef Builder::truth_node(size_t level, const Sym& s) {
  if (const auto a = s.as_atom()) {
    const Atom atom = syms.atom(*a);
    if (atom.kind == AtomKind::kEqual || atom.kind == AtomKind::kLess) {
      const char* target = atom.kind == AtomKind::kEqual ? "operator::eq" : "operator::lt";
      return call_at(level, target, {number(level, atom.left), number(level, atom.right)});
    }
  }
  if (const auto by = syms.cases(s); by && by->where && by->elsewhere) {
    const Sym &where = *by->where, &elsewhere = *by->elsewhere;
    const Argument first = truth(level, Sym::atom(by->truth));
    const auto opposite = [&] { return Argument(call_at(level, "torch::sym_not", {first})); };
    const auto joined = [&](const char* target, const Argument& a, const Sym& b) {
      return call_at(level, target, {a, truth(level, b)});
    };
    if (where.is(0) && elsewhere.is(1)) return node_in(opposite());
    if (where.is(1)) return joined("operator::or_", first, elsewhere);
    if (elsewhere.is(0)) return joined("operator::and_", first, where);
    if (where.is(0)) return joined("operator::and_", opposite(), elsewhere);
    if (elsewhere.is(1)) return joined("operator::or_", opposite(), where);
  }
  return call_at(level, "operator::ne", {number(level, s), int64_t{0}});
}

// The tensor whose device a tensor made of these sizes should follow.
std::optional<ValueId> Builder::anchor_of(const Sym& s) {
  for (const Sym::Term& t : s.terms())
    for (const AtomId f : t.factors) {
      const Atom a = syms.atom(f);
      if (a.kind == AtomKind::kDim || a.kind == AtomKind::kElement) {
        if (value(a.value).type.dtype != onnx::TensorProto::STRING) return a.value;
        continue;
      }
      if (a.real)
        for (const Sym& size : sizes_in(*a.real))
          if (const auto anchor = anchor_of(size)) return anchor;
      if (a.kind == AtomKind::kNumber || a.real) continue;
      if (const auto l = anchor_of(a.left)) return l;
      if (const auto r = anchor_of(a.right)) return r;
    }
  return {};
}

NodeRef Builder::materialise(size_t level, ValueId id) {
  OpenProgram& p = programs_[stack_[level]];
  if (const auto it = p.materialised.find(id); it != p.materialised.end()) return {it->second};
  const Value v = value(id);
  NodeRef r{};
  if (is_literal(syms, v)) {
    const std::string name = context.name_base.empty() ? "ints" : context.name_base + "_ints";
    r = tensor_node(level, add_tensor(constant_of(syms, v, name)));
  } else {
    std::vector<fx::NamedArgument> kwargs{{"dtype", fx::Dtype{weights::carrier(v.type.dtype)}}};
    for (const MaybeSym& s : *v.ints)
      if (const auto anchor = anchor_of(*s); anchor && kwargs.size() == 1)
        if (const Argument a = argument_at(level, *anchor); a.as<NodeRef>())
          kwargs.emplace_back("device", fx::DeviceOf{*a.as<NodeRef>()});
    fx::List each;
    for (const MaybeSym& s : *v.ints) {
      const Argument x = number(level, *s);
      each.emplace_back(call_at(level, "aten::scalar_tensor", {x}, kwargs));
    }
    r = v.type.rank() == 0 ? *each[0].as<NodeRef>()
                           : call_at(level, "aten::stack", {Argument(std::move(each))});
    if (v.type.rank() > 1) {
      fx::List dims;
      for (const MaybeSym& d : *v.type.dims) dims.push_back(number(level, *d));
      r = call_at(level, "aten::reshape", {r, Argument(std::move(dims))});
    }
  }
  programs_[stack_[level]].materialised.emplace(id, r.index);
  programs_[stack_[level]].log.push_back([id](OpenProgram& q) { q.materialised.erase(id); });
  return r;
}

Argument Builder::argument_at(size_t level, ValueId id) {
  const Value& v = value(id);
  switch (v.source) {
    case ValueSource::kNone:
      return {};
    case ValueSource::kNumber: {
      const Sym s = *(*v.ints)[0];
      return v.type.kind == O2FX_KIND_BOOL ? truth(level, s) : number(level, s);
    }
    case ValueSource::kList: {
      const std::vector<ValueId> items = v.items;
      fx::List l;
      for (const ValueId item : items) l.push_back(argument_at(level, item));
      return l;
    }
    default:
      return reference(level, id);
  }
}

Argument Builder::argument(ValueId id) { return argument_at(stack_.size() - 1, id); }
Argument Builder::argument(const Sym& s) { return number(stack_.size() - 1, s); }

Argument Builder::argument(const o2fx_arg& a, int depth) {
  if (depth > 8) throw HostError(O2FX_E_INVALID, "arguments: expected lists at most 8 deep");
  const auto text = [&] { return std::string(a.u.s ? a.u.s : "", a.len); };
  switch (a.tag) {
    case O2FX_T_NONE:
      return {};
    case O2FX_T_BOOL:
      return a.u.i != 0;
    case O2FX_T_INT:
      return a.u.i;
    case O2FX_T_FLOAT:
      return a.u.f;
    case O2FX_T_STR:
      return text();
    case O2FX_T_VALUE:
      return argument(a.u.v);
    case O2FX_T_PROGRAM:
      if (a.u.v == 0 || a.u.v >= programs_.size() ||
          programs_[a.u.v].state != OpenProgram::State::kClosed)
        throw HostError(O2FX_E_INVALID,
                        "program id " + std::to_string(a.u.v) + ": expected a closed program");
      return fx::ProgramRef{static_cast<uint32_t>(a.u.v)};
    case O2FX_T_DTYPE: {
      const auto dtype = static_cast<int32_t>(a.u.i);
      std::string name = dtype == a.u.i ? weights::carrier(dtype) : std::string();
      if (name.empty())
        throw HostError(O2FX_E_UNSUPPORTED,
                        "ONNX dtype " + std::to_string(a.u.i) + ": no torch dtype carries it");
      return fx::Dtype{std::move(name)};
    }
    case O2FX_T_DEVICE:
      return fx::Device{text()};
    case O2FX_T_LAYOUT:
      return fx::Layout{text()};
    case O2FX_T_MEMORY_FORMAT:
      return fx::MemoryFormat{text()};
    case O2FX_T_TRAINING:
      return fx::Training{};
    case O2FX_T_DEVICE_OF: {
      const Argument x = argument(a.u.v);
      if (!x.as<NodeRef>()) throw HostError(O2FX_E_INVALID, "DEVICE_OF: expected a tensor");
      return fx::DeviceOf{*x.as<NodeRef>()};
    }
    case O2FX_T_LIST: {
      fx::List l;
      for (uint32_t i = 0; i < a.len; i++) l.push_back(argument(a.u.list[i], depth + 1));
      return l;
    }
    default:
      throw HostError(O2FX_E_INVALID,
                      "argument tag " + std::to_string(a.tag) + ": expected an O2FX_T_*");
  }
}

fx::Node* Builder::node_of(ValueId id) {
  const Value& v = value(id);
  return v.source == ValueSource::kNode ? &programs_[v.program].program.nodes[v.node] : nullptr;
}

}  // namespace onnx2fx::conversion
