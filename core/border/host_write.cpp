// Slots that write into the current program.
#include "core/border/host.hpp"
#include "core/plugin/nearest.hpp"
#include "core/plugin/reference_table.hpp"
#include "core/shapes/elements.hpp"

namespace onnx2fx::conversion::host {

static void check_scalar(const o2fx_arg& a, const char* what) {
  const auto fail = [what](const std::string& text) {
    throw HostError(O2FX_E_INVALID, std::string(what) + ": " + text);
  };
  if (a.tag > O2FX_T_DEVICE_OF) fail("tag: expected an O2FX_T_*, got " + std::to_string(a.tag));
  if (a.len)
    fail("len: expected 0 beside tag " + std::to_string(a.tag) + ", got " + std::to_string(a.len));
  if (a.tag == O2FX_T_BOOL && a.u.i != 0 && a.u.i != 1)
    fail("bool: expected 0 or 1, got " + std::to_string(a.u.i));
}

static void check_argument(const o2fx_arg& a, const char* what, int depth) {
  if (a.tag == O2FX_T_STR || a.tag == O2FX_T_DEVICE || a.tag == O2FX_T_LAYOUT ||
      a.tag == O2FX_T_MEMORY_FORMAT)
    return static_cast<void>(elements(a.u.s, a.len, O2FX_MAX_TEXT, what));
  if (a.tag != O2FX_T_LIST) return check_scalar(a, what);
  if (depth == O2FX_MAX_DEPTH)
    throw HostError(O2FX_E_INVALID, std::string(what) + ": expected lists at most " +
                                        std::to_string(O2FX_MAX_DEPTH) + " deep");
  for (const o2fx_arg& x : elements(a.u.list, a.len, O2FX_MAX_LIST, what))
    check_argument(x, what, depth + 1);
}

void check_argument(const o2fx_arg& a, const char* what) { check_argument(a, what, 0); }

static void check_call(const o2fx_emit& call) {
  if (call.struct_size < sizeof(o2fx_emit) || call.struct_size > O2FX_MAX_STRUCT)
    throw HostError(O2FX_E_INVALID, "emit: struct_size: expected " +
                                        std::to_string(sizeof(o2fx_emit)) + " to " +
                                        std::to_string(O2FX_MAX_STRUCT) + ", got " +
                                        std::to_string(call.struct_size));
  elements(call.target.data, call.target.len, O2FX_MAX_TEXT, "emit: target");
  elements(call.name_hint.data, call.name_hint.len, O2FX_MAX_TEXT, "emit: name_hint");
  for (const o2fx_arg& a : elements(call.args, call.n_args, O2FX_MAX_ARGS, "emit: args"))
    check_argument(a, "emit: args");
  for (const o2fx_named_arg& a :
       elements(call.kwargs, call.n_kwargs, O2FX_MAX_ARGS, "emit: kwargs")) {
    elements(a.name.data, a.name.len, O2FX_MAX_TEXT, "emit: kwargs");
    check_argument(a.arg, "emit: kwargs");
  }
  if (call.n_unpack > O2FX_MAX_ARGS)
    throw HostError(O2FX_E_INVALID, "emit: n_unpack: expected at most " +
                                        std::to_string(O2FX_MAX_ARGS) + ", got " +
                                        std::to_string(call.n_unpack));
}

/// A call of a function that computes: one of this plugin's own table, with the types of all its
/// results.
static void check_reference(const Lowering& l, const o2fx_emit& call) {
  const auto fail = [](const std::string& what) {
    throw HostError(O2FX_E_SCHEMA, "onnx2fx::reference: " + what);
  };
  if (call.n_args != 6 || call.n_kwargs || call.args[0].tag != O2FX_T_STR ||
      call.args[3].tag != O2FX_T_LIST || call.args[4].tag != O2FX_T_LIST ||
      call.args[5].tag != O2FX_T_LIST)
    return fail("expected function, inputs, options, dtypes, ranks and sizes");
  const std::string name(call.args[0].u.s, call.args[0].len);
  std::vector<std::string> own;
  for (const plugin::ReferenceFunction& f :
       plugin::reference_functions(*l.plugin.table, l.plugin.library))
    own.push_back(f.name);
  if (std::find(own.begin(), own.end(), name) == own.end()) {
    const auto near = plugin::nearest(name, own);
    fail("function: expected one of this plugin's table, got '" + name + "'" +
         (near ? "; did you mean '" + *near + "'?" : ""));
  }
  const o2fx_arg &dtypes = call.args[3], &ranks = call.args[4], &sizes = call.args[5];
  int64_t extents = 0;
  for (const o2fx_arg& a : std::span(ranks.u.list, ranks.len)) {
    if (a.tag != O2FX_T_INT || a.u.i < 0 || a.u.i > O2FX_MAX_RANK)
      fail("ranks: expected literals from 0 to " + std::to_string(O2FX_MAX_RANK));
    extents += a.u.i;
  }
  for (const o2fx_arg& a : std::span(sizes.u.list, sizes.len))
    if (a.tag == O2FX_T_INT && a.u.i < -1)
      fail("sizes: expected -1 or more, got " + std::to_string(a.u.i));
  if (dtypes.len == 0 || call.n_unpack != dtypes.len || ranks.len != dtypes.len ||
      extents != sizes.len)
    fail("expected n_unpack results, each with a dtype and a rank, and all their extents; got " +
         std::to_string(call.n_unpack) + " results, " + std::to_string(dtypes.len) + " dtypes, " +
         std::to_string(ranks.len) + " ranks of " + std::to_string(extents) + " extents in all, " +
         std::to_string(sizes.len) + " sizes");
}

o2fx_status emit(o2fx_ctx ctx, const o2fx_emit* call, o2fx_value* results) {
  return in_lowering(ctx, [&](Lowering& l) {
    if (!call || !results)
      throw HostError(O2FX_E_INVALID, "emit: expected a call and room for results, got NULL");
    check_call(*call);
    if (std::string_view(call->target.data, call->target.len) == "onnx2fx::reference")
      check_reference(l, *call);
    const std::vector<ValueId> ids = l.builder.emit(*call);
    std::copy(ids.begin(), ids.end(), results);
    return O2FX_OK;
  });
}

static std::vector<int64_t> dims_of(const o2fx_bytes& bytes) {
  if (bytes.rank < 0 || (bytes.size && !bytes.data))
    throw HostError(O2FX_E_INVALID, "constant: expected bytes and dims");
  const auto dims =
      elements(bytes.dims, static_cast<uint64_t>(bytes.rank), O2FX_MAX_RANK, "constant: dims");
  if (std::any_of(dims.begin(), dims.end(), [](int64_t d) { return d < 0; }))
    throw HostError(O2FX_E_INVALID, "constant: expected bytes and dims");
  return {dims.begin(), dims.end()};
}

static void check_role(int32_t role) {
  if (role < O2FX_ROLE_DEFAULT || role > O2FX_ROLE_MUTATED)
    throw HostError(O2FX_E_INVALID, "role " + std::to_string(role) + ": expected an O2FX_ROLE_*");
}

static void check_size(const TensorEntry& t, uint64_t size) {
  if (weights::carrier(t.dtype).empty())
    throw HostError(O2FX_E_INVALID, "constant '" + t.name +
                                        "': dtype: expected one of numbers, got " +
                                        std::to_string(t.dtype));
  uint64_t n = 1;
  for (const int64_t d : t.dims)
    if (__builtin_mul_overflow(n, static_cast<uint64_t>(d), &n))
      throw HostError(O2FX_E_INVALID, "constant '" + t.name + "': its dims overflow");
  if (const uint64_t expected = weights::packed_size(t.dtype, n); expected != size)
    throw HostError(O2FX_E_INVALID, "constant '" + t.name + "': expected " +
                                        std::to_string(expected) + " bytes, got " +
                                        std::to_string(size));
}

/// Which others of equal bytes are this one: all of its name; of a state those of its node,
/// wherever that is unrolled; of a parameter those that are the same part of the same tensor.
static void identify(const Lowering& l, TensorEntry& t) {
  const onnx::NodeProto& node = l.node.proto;
  t.identity = t.name;
  if (t.role == O2FX_ROLE_PARAMETER && l.read_last) {
    t.identity += "|tensor " + std::to_string(*l.read_last);
    t.part_of = l.builder.tensors()[*l.read_last].name;
  } else if (t.role == O2FX_ROLE_PARAMETER || t.role == O2FX_ROLE_MUTATED) {
    t.identity += "|" + l.builder.context.provenance->function_path + "|" +
                  std::to_string(reinterpret_cast<uintptr_t>(&node));
  }
  if (t.role == O2FX_ROLE_PARAMETER)
    t.name = (node.name().empty() ? node.op_type() : node.name()) + "." + t.name;
}

o2fx_status constant(o2fx_ctx ctx, o2fx_str name, const o2fx_bytes* bytes, int32_t role,
                     o2fx_value* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    if (!bytes) throw HostError(O2FX_E_INVALID, "constant: expected bytes and dims");
    TensorEntry t;
    t.name = text_of(name, "constant: name_hint");
    t.dtype = bytes->dtype;
    t.dims = dims_of(*bytes);
    t.role = role;
    check_role(role);
    check_size(t, bytes->size);
    t.bytes =
        std::make_shared<const std::string>(static_cast<const char*>(bytes->data), bytes->size);
    identify(l, t);
    room(out) = l.tensors.constant(std::move(t));
    return O2FX_OK;
  });
}

o2fx_status in_place(o2fx_ctx ctx, const o2fx_arg* a, o2fx_value* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    Builder& b = l.builder;
    const auto one = [&](const o2fx_arg& x) -> ValueId {
      switch (x.tag) {
        case O2FX_T_NONE:
          return b.add_none();
        case O2FX_T_INT:
          return b.add_number(Sym(x.u.i));
        case O2FX_T_VALUE:
          b.value(x.u.v);
          return x.u.v;
        default:
          throw HostError(O2FX_E_INVALID, "in_place: expected a LIST of VALUE, INT or NONE");
      }
    };
    if (!a) throw HostError(O2FX_E_INVALID, "in_place: expected an argument, got NULL");
    check_argument(*a, "in_place");
    if (a->tag == O2FX_T_LIST) {
      std::vector<ValueId> items;
      for (uint32_t i = 0; i < a->len; i++) items.push_back(one(a->u.list[i]));
      room(out) = b.add_list(std::move(items));
    } else {
      room(out) = one(*a);
    }
    return O2FX_OK;
  });
}

o2fx_status int_tensor(o2fx_ctx ctx, const o2fx_arg* a, int32_t dtype, o2fx_value* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    Builder& b = l.builder;
    if (!a) throw HostError(O2FX_E_INVALID, "int_tensor: expected an argument, got NULL");
    check_argument(*a, "int_tensor");
    if (dtype != onnx::TensorProto::INT64 && dtype != onnx::TensorProto::INT32)
      throw HostError(O2FX_E_INVALID, "int_tensor: dtype: expected INT64 or INT32");
    const auto sym = [&](const o2fx_arg& x) -> Sym {
      if (x.tag == O2FX_T_INT) return Sym(x.u.i);
      if (x.tag == O2FX_T_VALUE)
        if (const Value& v = b.value(x.u.v); v.source == ValueSource::kNumber) return *(*v.ints)[0];
      throw HostError(O2FX_E_INVALID, "int_tensor: expected INT, or VALUE of an int");
    };
    std::vector<MaybeSym> ints;
    Type type = Type::tensor(dtype, {});
    if (a->tag == O2FX_T_LIST) {
      for (uint32_t i = 0; i < a->len; i++) ints.push_back(sym(a->u.list[i]));
      type = Type::tensor(dtype, {static_cast<int64_t>(ints.size())});
    } else {
      ints.push_back(sym(*a));
    }
    room(out) = b.add_ints(std::move(ints), std::move(type));
    return O2FX_OK;
  });
}

o2fx_status set_role(o2fx_ctx ctx, o2fx_value id, int32_t role) {
  return in_lowering(ctx, [&](Lowering& l) -> o2fx_status {
    check_role(role);
    Builder& b = l.builder;
    const Value v = b.value(id);
    if (v.source != ValueSource::kTensor || role == O2FX_ROLE_DEFAULT) return O2FX_OK;
    TensorEntry* t = &b.tensors()[v.tensor];
    if (role == O2FX_ROLE_MUTATED) {
      if (t->uses > 1 ||
          !t->mutated_by.empty()) {  // shared: what one node writes, no other may see
        TensorEntry copy = *t;
        copy.name +=
            "." + (l.node.proto.name().empty() ? l.node.proto.output(0) : l.node.proto.name());
        const ValueId own = b.add_tensor(std::move(copy));
        b.context.replaced[id] = own;
        t = &b.tensors().back();
        t->uses = 1;
      }
      b.on_undo([t, old = *t] { *t = old; });
      t->mutated_by = l.node.proto.name();
      t->role = O2FX_ROLE_MUTATED;
    } else if (t->role == O2FX_ROLE_DEFAULT || role < t->role) {
      b.on_undo([t, old = t->role] { t->role = old; });
      t->role = role;
    }
    return O2FX_OK;
  });
}

static bool is_literal(const o2fx_arg& a) {
  if (a.tag == O2FX_T_LIST) return std::all_of(a.u.list, a.u.list + a.len, is_literal);
  return a.tag != O2FX_T_VALUE && a.tag != O2FX_T_PROGRAM && a.tag != O2FX_T_DEVICE_OF;
}

o2fx_status set_meta(o2fx_ctx ctx, o2fx_value id, o2fx_str key, const o2fx_arg* a) {
  return in_lowering(ctx, [&](Lowering& l) {
    if (!a) throw HostError(O2FX_E_INVALID, "set_meta: expected an argument, got NULL");
    check_argument(*a, "set_meta");
    if (!is_literal(*a)) throw HostError(O2FX_E_INVALID, "set_meta: expected a literal");
    Builder& b = l.builder;
    if (fx::Node* n = b.node_of(id))
      n->meta.emplace_back(text_of(key, "set_meta: key"), b.argument(*a));
    return O2FX_OK;
  });
}

o2fx_status annotate(o2fx_ctx ctx, o2fx_str key, o2fx_str text) {
  return in_lowering(ctx, [&](Lowering& l) {
    l.notes.push_back({text_of(key, "annotate: key"), text_of(text, "annotate: text"), 2});
    return O2FX_OK;
  });
}

o2fx_status set_output(o2fx_ctx ctx, uint32_t index, o2fx_value id) {
  return in_lowering(ctx, [&](Lowering& l) {
    Builder& b = l.builder;
    const std::string name = "output " + std::to_string(index);
    if (index >= l.outputs.size() || l.node.proto.output(static_cast<int>(index)).empty())
      return O2FX_OK;
    b.value(id);  // refuses stale and foreign ones
    if (l.outputs[index]) throw HostError(O2FX_E_INVALID, name + ": it was set already");
    if (!b.is_visible(id, l.base_depth))
      throw HostError(
          O2FX_E_INVALID,
          name + ": expected a value of the node's own program, got one of a sub-program");
    l.outputs[index] = id;
    return O2FX_OK;
  });
}

}  // namespace onnx2fx::conversion::host
