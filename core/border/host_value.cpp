// Slots that say what is known of values.
#include "core/border/host.hpp"
#include "core/shapes/real.hpp"

namespace onnx2fx::conversion::host {

o2fx_value_info raw_info(Lowering& l, const Type& t, uint32_t is_const) {
  o2fx_value_info r{
      sizeof(o2fx_value_info), t.kind, t.dtype, t.rank(), is_const, nullptr, nullptr, nullptr};
  if (t.dims) {
    int64_t* dims = l.arena.array<int64_t>(t.dims->size() + 1);
    o2fx_str* params = l.arena.array<o2fx_str>(t.dims->size() + 1);
    for (size_t i = 0; i < t.dims->size(); i++) {
      const MaybeSym& d = (*t.dims)[i];
      dims[i] = d && d->is_literal() ? d->literal() : -1;
      params[i] =
          d && !d->is_literal() ? l.arena.copy(l.builder.syms.text(*d)) : o2fx_str{nullptr, 0};
    }
    r.dims = dims;
    r.dim_params = params;
  }
  if (t.elem) {
    o2fx_value_info* elem = l.arena.array<o2fx_value_info>(1);
    *elem = raw_info(l, *t.elem, 0);
    r.elem = elem;
  }
  return r;
}

Type type_from(Lowering& l, const o2fx_value_info& raw, int depth) {
  if (raw.struct_size < sizeof raw || raw.struct_size > O2FX_MAX_STRUCT)
    throw HostError(O2FX_E_INVALID, "value info: struct_size: expected " +
                                        std::to_string(sizeof raw) + " to " +
                                        std::to_string(O2FX_MAX_STRUCT) + ", got " +
                                        std::to_string(raw.struct_size));
  if (depth > 4) throw HostError(O2FX_E_INVALID, "value info: elem: expected at most 4 levels");
  if (raw.kind > O2FX_KIND_BOOL)
    throw HostError(O2FX_E_INVALID,
                    "value info: kind: expected a known one, got " + std::to_string(raw.kind));
  if (raw.dtype && !onnx::TensorProto::DataType_IsValid(raw.dtype))
    throw HostError(O2FX_E_INVALID,
                    "value info: dtype: expected one of ONNX, got " + std::to_string(raw.dtype));
  if (raw.rank < -1 || raw.rank > O2FX_MAX_RANK)
    throw HostError(O2FX_E_INVALID, "value info: rank: expected -1 to " +
                                        std::to_string(O2FX_MAX_RANK) + ", got " +
                                        std::to_string(raw.rank));
  Type t;
  t.kind = raw.kind;
  t.dtype = raw.dtype;
  if (raw.rank >= 0) {
    t.dims.emplace(static_cast<size_t>(raw.rank));
    for (int32_t i = 0; i < raw.rank; i++) {
      MaybeSym& d = (*t.dims)[static_cast<size_t>(i)];
      if (raw.dims && raw.dims[i] < -1)
        throw HostError(O2FX_E_INVALID, "value info: dims: expected -1 or more, got " +
                                            std::to_string(raw.dims[i]));
      if (raw.dims && raw.dims[i] >= 0)
        d = Sym(raw.dims[i]);
      else if (raw.dim_params && raw.dim_params[i].len)
        d = l.builder.syms.parse(text_of(raw.dim_params[i], "value info: dim_params"));
    }
  }
  if (raw.elem) t.elem = std::make_shared<Type>(type_from(l, *raw.elem, depth + 1));
  return t;
}

/// One of O2FX_CONST_*, or 0.
static uint32_t is_constant(const Builder& b, const Value& v) {
  if (v.source == ValueSource::kTensor) return O2FX_CONST_STORED;
  const bool known = v.type.is_tensor() && v.type.count() && is_literal(b.syms, v);
  return known ? O2FX_CONST_COMPUTED : 0;
}

o2fx_status value_info(o2fx_ctx ctx, o2fx_value id, o2fx_value_info* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    Builder& b = l.builder;
    const Value& v = b.value(id);
    if (!v.type.dtype || !v.type.dims) l.untyped.push_back(id);
    return give(raw_info(l, v.type, is_constant(b, v)), out);
  });
}

o2fx_status set_value_info(o2fx_ctx ctx, o2fx_value id, const o2fx_value_info* info) {
  return in_lowering(ctx, [&](Lowering& l) {
    if (!info) throw HostError(O2FX_E_INVALID, "value info: expected an address, got NULL");
    Builder& b = l.builder;
    Value& v = b.value(id);
    Type merged = v.type;
    const Type stated = type_from(l, *info);
    if (const std::string conflict = merge(merged, stated); !conflict.empty())
      throw HostError(O2FX_E_INVALID, "value info: " + conflict);
    b.on_undo([&b, id, old = v.type] {
      if (b.alive(id)) b.value(id).type = old;
    });
    v.type = std::move(merged);
    v.proto.reset();
    // an extent that the plugin leaves open is a size with a name from here on
    if (v.type.is_tensor() && v.type.dims)
      for (int axis = 0; axis < v.type.rank(); axis++) b.dim(id, axis);
    return O2FX_OK;
  });
}

static bool is_known(const Value& v) {
  return v.ints && std::all_of(v.ints->begin(), v.ints->end(),
                               [](const MaybeSym& s) { return s.has_value(); });
}

/// "input 1 'shape': ", if it is one.
static std::string input_name(const Lowering& l, ValueId id) {
  for (size_t i = 0; i < l.node.inputs.size(); i++)
    if (l.node.inputs[i] == id)
      return "input " + std::to_string(i) + " '" + l.node.proto.input(static_cast<int>(i)) + "': ";
  return "";
}

static o2fx_status fail_absent(Lowering& l, ValueId id, const Absent& absent) {
  const bool itself = l.builder.value(id).source == ValueSource::kTensor;
  l.fail(O2FX_E_IO, input_name(l, id) + "expected its values at conversion time, got none: file '" +
                        absent.file + "' of weight '" + absent.tensor + "'" +
                        (itself ? "" : ", from which they are computed,") + " is missing");
  l.absent = true;
  return O2FX_E_IO;
}

o2fx_status const_data(o2fx_ctx ctx, o2fx_value id, o2fx_bytes* out) {
  return in_lowering(ctx, [&](Lowering& l) -> o2fx_status {
    Builder& b = l.builder;
    const Value& v = b.value(id);
    const bool computed_float = is_tracked_float(v.type.dtype) && v.source != ValueSource::kTensor;
    if (v.absent && !is_known(v) && !computed_float) return fail_absent(l, id, *v.absent);
    if (!is_constant(b, v)) return O2FX_ABSENT;
    int64_t* dims = l.arena.array<int64_t>(v.type.dims->size() + 1);
    for (size_t i = 0; i < v.type.dims->size(); i++) dims[i] = (*v.type.dims)[i]->literal();
    std::span<const uint8_t> bytes;
    if (v.source == ValueSource::kTensor) {
      TensorEntry& t = b.tensors()[v.tensor];
      if (t.dtype == onnx::TensorProto::STRING)
        throw HostError(O2FX_E_MODEL, "tensor '" + t.name + "': expected numbers, got strings");
      if (const auto absent = l.tensors.absent(t)) return fail_absent(l, id, *absent);
      bytes = l.tensors.bytes(t);
      l.read_last = v.tensor;
    } else {
      const o2fx_str copy = l.arena.copy(packed_literals(b.syms, v));
      bytes = {reinterpret_cast<const uint8_t*>(copy.data), copy.len};
    }
    room(out) = {bytes.data(), bytes.size(), v.type.dtype, v.type.rank(), dims};
    return O2FX_OK;
  });
}

o2fx_status const_strings(o2fx_ctx ctx, o2fx_value id, o2fx_arg* out) {
  return in_lowering(ctx, [&](Lowering& l) -> o2fx_status {
    Builder& b = l.builder;
    const Value& v = b.value(id);
    if (v.source != ValueSource::kTensor) return O2FX_ABSENT;
    const TensorEntry& t = b.tensors()[v.tensor];
    if (t.dtype != onnx::TensorProto::STRING || !t.proto)
      throw HostError(O2FX_E_MODEL, "tensor '" + t.name + "': expected strings");
    room(out) = list(l, t.proto->string_data(), string);
    return O2FX_OK;
  });
}

static o2fx_arg sym_arg(Builder& b, const Sym& s, uint32_t kind = O2FX_KIND_INT) {
  return s.is_literal() ? integer(s.literal()) : value_arg(b.add_number(s, kind));
}

// Of float tensors only sizes that passed through them: numbers known to be whole.
static std::optional<std::vector<Sym>> whole_elements(const Builder& b, const Value& v) {
  if (!v.reals) return {};
  std::vector<Sym> r;
  for (const MaybeSym& s : *v.reals) {
    if (!s || !is_whole(b.syms, *s)) return {};
    r.push_back(*s);
  }
  return r;
}

o2fx_status int_list(o2fx_ctx ctx, o2fx_value id, uint32_t flags, o2fx_arg* out) {
  return in_lowering(ctx, [&](Lowering& l) -> o2fx_status {
    if (flags & ~O2FX_INTS_KNOWN_ONLY)
      throw HostError(O2FX_E_INVALID,
                      "int_list: flags: expected known ones, got " + std::to_string(flags));
    Builder& b = l.builder;
    const int32_t dtype = b.type(id).dtype;
    if (dtype == onnx::TensorProto::FLOAT16 || dtype == onnx::TensorProto::BFLOAT16 ||
        dtype == onnx::TensorProto::STRING)
      return O2FX_ABSENT;
    if (const Value& v = b.value(id); v.absent && !is_known(v) && !is_tracked_float(dtype))
      return fail_absent(l, id, *v.absent);
    const auto all = is_tracked_float(dtype) ? whole_elements(b, b.value(id))
                                             : b.ints(id, !(flags & O2FX_INTS_KNOWN_ONLY));
    if (!all) return O2FX_ABSENT;
    const uint32_t kind = dtype == onnx::TensorProto::BOOL ? O2FX_KIND_BOOL : O2FX_KIND_INT;
    room(out) = list(l, *all, [&](const Sym& s) { return sym_arg(b, s, kind); });
    return O2FX_OK;
  });
}

o2fx_status dim(o2fx_ctx ctx, o2fx_value id, int32_t axis, o2fx_arg* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    Builder& b = l.builder;
    room(out) = sym_arg(b, b.dim(id, axis));
    return O2FX_OK;
  });
}

o2fx_status list_items(o2fx_ctx ctx, o2fx_value id, o2fx_arg* out) {
  return in_lowering(ctx, [&](Lowering& l) -> o2fx_status {
    const Value& v = l.builder.value(id);
    if (v.source != ValueSource::kList) return O2FX_ABSENT;
    room(out) = list(l, v.items, value_arg);
    return O2FX_OK;
  });
}

}  // namespace onnx2fx::conversion::host
