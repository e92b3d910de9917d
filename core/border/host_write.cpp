// Slots that write into the current program.
#include "core/border/host.hpp"

namespace onnx2fx::conversion::host {

/// Lists have elements where they say so, and an end.
static void check_lists(const o2fx_arg& a, int depth = 0) {
  if (a.tag != O2FX_T_LIST) return;
  if (depth == 8) throw HostError(O2FX_E_INVALID, "arguments: expected lists at most 8 deep");
  if (a.len && !a.u.list)
    throw HostError(O2FX_E_INVALID, "arguments: expected " + std::to_string(a.len) +
                                        " elements of a list, got NULL");
  for (uint32_t i = 0; i < a.len; i++) check_lists(a.u.list[i], depth + 1);
}

o2fx_status emit(o2fx_ctx ctx, const o2fx_emit* call, o2fx_value* results) {
  return in_lowering(ctx, [&](Lowering& l) {
    if (!call || call->struct_size < sizeof(o2fx_emit))
      throw HostError(O2FX_E_INVALID,
                      "emit: struct_size: expected " + std::to_string(sizeof(o2fx_emit)));
    if (!results || (call->n_args && !call->args) || (call->n_kwargs && !call->kwargs))
      throw HostError(O2FX_E_INVALID, "emit: expected arguments and room for results, got NULL");
    for (uint32_t i = 0; i < call->n_args; i++) check_lists(call->args[i]);
    for (uint32_t i = 0; i < call->n_kwargs; i++) check_lists(call->kwargs[i].arg);
    const std::vector<ValueId> ids = l.builder.emit(*call);
    std::copy(ids.begin(), ids.end(), results);
    return O2FX_OK;
  });
}

static std::vector<int64_t> dims_of(const o2fx_bytes& bytes) {
  if (bytes.rank < 0 || (bytes.size && !bytes.data) || (bytes.rank && !bytes.dims) ||
      std::any_of(bytes.dims, bytes.dims + bytes.rank, [](int64_t d) { return d < 0; }))
    throw HostError(O2FX_E_INVALID, "constant: expected bytes and dims");
  return {bytes.dims, bytes.dims + bytes.rank};
}

static void check_size(const TensorEntry& t, uint64_t size) {
  uint64_t n = 1;
  for (const int64_t d : t.dims)
    if (__builtin_mul_overflow(n, static_cast<uint64_t>(d), &n))
      throw HostError(O2FX_E_INVALID, "constant '" + t.name + "': its dims overflow");
  if (const uint64_t expected = weights::packed_size(t.dtype, n); expected != size)
    throw HostError(O2FX_E_INVALID, "constant '" + t.name + "': expected " +
                                        std::to_string(expected) + " bytes, got " +
                                        std::to_string(size));
}

o2fx_status constant(o2fx_ctx ctx, o2fx_str name, const o2fx_bytes* bytes, int32_t role,
                     o2fx_value* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    if (!bytes) throw HostError(O2FX_E_INVALID, "constant: expected bytes and dims");
    TensorEntry t;
    t.name = text_of(name);
    t.dtype = bytes->dtype;
    t.dims = dims_of(*bytes);
    t.role = role;
    check_size(t, bytes->size);
    t.bytes =
        std::make_shared<const std::string>(static_cast<const char*>(bytes->data), bytes->size);
    // a state is the node's own, the same wherever it is unrolled
    const std::string owner = l.builder.context.provenance->function_path + "|" +
                              std::to_string(reinterpret_cast<uintptr_t>(&l.node.proto));
    room(out) = l.tensors.constant(std::move(t), owner);
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
    check_lists(*a);
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
    check_lists(*a);
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
    if (role < O2FX_ROLE_DEFAULT || role > O2FX_ROLE_MUTATED)
      throw HostError(O2FX_E_INVALID, "role " + std::to_string(role) + ": expected an O2FX_ROLE_*");
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
    check_lists(*a);
    if (!is_literal(*a)) throw HostError(O2FX_E_INVALID, "set_meta: expected a literal");
    Builder& b = l.builder;
    if (fx::Node* n = b.node_of(id)) n->meta.emplace_back(text_of(key), b.argument(*a));
    return O2FX_OK;
  });
}

o2fx_status annotate(o2fx_ctx ctx, o2fx_str key, o2fx_str text) {
  return in_lowering(ctx, [&](Lowering& l) {
    l.notes.push_back({text_of(key), text_of(text)});
    return O2FX_OK;
  });
}

o2fx_status set_output(o2fx_ctx ctx, uint32_t index, o2fx_value id) {
  return in_lowering(ctx, [&](Lowering& l) {
    Builder& b = l.builder;
    const std::string name = "output " + std::to_string(index);
    if (index >= l.outputs.size() || l.node.proto.output(static_cast<int>(index)).empty())
      return O2FX_OK;
    const Value& v = b.value(id);
    if (l.outputs[index]) throw HostError(O2FX_E_INVALID, name + ": it was set already");
    if (v.source == ValueSource::kNode && !b.visible(v.program, l.base_depth))
      throw HostError(
          O2FX_E_INVALID,
          name + ": expected a value of the node's own program, got one of a sub-program");
    l.outputs[index] = id;
    return O2FX_OK;
  });
}

}  // namespace onnx2fx::conversion::host
