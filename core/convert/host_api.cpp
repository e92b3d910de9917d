// The host's side of the border: the C functions of o2fx_host_api over a Lowering. Nothing is thrown out.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/convert/lowering.hpp"
#include "core/include/onnx2fx/version.hpp"

namespace onnx2fx::conversion {
namespace {

std::string text_of(o2fx_str s) { return s.data ? std::string(s.data, s.len) : std::string(); }
o2fx_str view_of(const std::string& s) { return {s.data(), s.size()}; }

/// Runs f on the active lowering; exceptions become a status and a stored text.
template <class F>
o2fx_status guarded(o2fx_ctx ctx, F f) noexcept {
  Lowering* l = Lowering::active(ctx);
  if (!l) {
    if (Lowering* inner = Lowering::innermost())
      inner->fail(O2FX_E_INVALID, "a ctx was used outside its callback, or while a nested lowering runs");
    return O2FX_E_INVALID;
  }
  try {
    return f(*l);
  } catch (const HostError& e) {
    return l->fail(e.status, e.what());
  } catch (const ConversionError& e) {
    return l->fail(O2FX_E_IO, e.diagnostics.empty() ? e.what()
                                                    : (e.diagnostics[0].where.empty() ? "" : e.diagnostics[0].where + ": ") +
                                                          e.diagnostics[0].what);
  } catch (const std::bad_alloc&) {
    return l->fail(O2FX_E_NOMEM, "out of memory");
  } catch (const std::exception& e) {
    return l->fail(O2FX_E_INTERNAL, std::string("the host failed: ") + e.what());
  }
}
template <class F>
o2fx_status with_node(o2fx_ctx ctx, F f) noexcept {
  return guarded(ctx, [&](Lowering& l) {
    if (!l.node) throw HostError(O2FX_E_INVALID, "this callback has no node");
    return f(l);
  });
}

/// Copies *from into *to, as far as the caller's struct_size says that there is room.
template <class T>
o2fx_status give(const T& from, T* to) {
  if (!to) throw HostError(O2FX_E_INVALID, "out-parameter: expected an address, got NULL");
  const uint64_t size = to->struct_size;
  if (size < sizeof(uint64_t) || size > 65536) throw HostError(O2FX_E_INVALID, "struct_size: expected that of the struct, got " + std::to_string(size));
  std::memcpy(to, &from, std::min<uint64_t>(size, sizeof from));
  to->struct_size = size;
  return O2FX_OK;
}

const void* get_extension(o2fx_ctx, const char*) { return nullptr; }

void log(o2fx_ctx ctx, int32_t level, o2fx_str msg) {
  guarded(ctx, [&](Lowering& l) {
    static constexpr const char* kLevel[] = {"error", "warning", "info", "debug"};
    l.notes.emplace_back(kLevel[std::clamp(level, 0, 3)], text_of(msg));
    return O2FX_OK;
  });
}

o2fx_status set_error(o2fx_ctx ctx, o2fx_status status, const char* file, int32_t line, o2fx_str msg) {
  guarded(ctx, [&](Lowering& l) {
    l.fail(status, text_of(msg));
    if (file) l.error_place = std::string(file) + ":" + std::to_string(line);
    return O2FX_OK;
  });
  return status;
}

void* scratch(o2fx_ctx ctx, uint64_t size, uint64_t align) {
  void* p = nullptr;
  guarded(ctx, [&](Lowering& l) {
    if (align == 0 || align > 64 || (align & (align - 1))) throw HostError(O2FX_E_INVALID, "scratch: align: expected a power of two <= 64");
    p = l.arena.allocate(size, align);
    return O2FX_OK;
  });
  return p;
}

// ---- reading the node

o2fx_status node_info(o2fx_ctx ctx, o2fx_node_info* out) {
  return with_node(ctx, [&](Lowering& l) {
    const onnx::NodeProto& n = l.node->proto;
    return give({sizeof(o2fx_node_info), view_of(n.domain()), view_of(n.op_type()), view_of(n.name()), l.node->opset,
                 static_cast<uint32_t>(n.input_size()), static_cast<uint32_t>(n.output_size()),
                 static_cast<uint32_t>(n.attribute_size()), 0},
                out);
  });
}

o2fx_value input(o2fx_ctx ctx, uint32_t index) {
  o2fx_value r = 0;
  with_node(ctx, [&](Lowering& l) {
    if (index < l.node->inputs.size()) {
      l.input_read[index] = true;
      r = l.node->inputs[index];
    }
    return O2FX_OK;
  });
  return r;
}

uint32_t output_wanted(o2fx_ctx ctx, uint32_t index) {
  uint32_t r = 0;
  with_node(ctx, [&](Lowering& l) {
    const onnx::NodeProto& n = l.node->proto;
    r = index < static_cast<uint32_t>(n.output_size()) && !n.output(static_cast<int>(index)).empty();
    return O2FX_OK;
  });
  return r;
}

uint64_t count_of(const onnx::AttributeProto& a) {
  switch (a.type()) {
    case onnx::AttributeProto::FLOATS: return static_cast<uint64_t>(a.floats_size());
    case onnx::AttributeProto::INTS: return static_cast<uint64_t>(a.ints_size());
    case onnx::AttributeProto::STRINGS: return static_cast<uint64_t>(a.strings_size());
    case onnx::AttributeProto::TENSORS: return static_cast<uint64_t>(a.tensors_size());
    case onnx::AttributeProto::GRAPHS: return static_cast<uint64_t>(a.graphs_size());
    case onnx::AttributeProto::SPARSE_TENSORS: return static_cast<uint64_t>(a.sparse_tensors_size());
    case onnx::AttributeProto::TYPE_PROTOS: return static_cast<uint64_t>(a.type_protos_size());
    default: return 1;
  }
}

o2fx_status give_attribute(Lowering& l, const onnx::AttributeProto& a, bool is_default, o2fx_attr_info* out) {
  l.attributes.push_back(&a);
  return give({sizeof(o2fx_attr_info), l.attributes.size(), view_of(a.name()), static_cast<int32_t>(a.type()), is_default, count_of(a)}, out);
}

o2fx_status attr(o2fx_ctx ctx, o2fx_str name_view, o2fx_attr_info* out) {
  return with_node(ctx, [&](Lowering& l) -> o2fx_status {
    const std::string name = text_of(name_view);
    if (const auto* a = l.node->attribute(name)) {
      l.attribute_read.insert(name);
      return give_attribute(l, *a, false, out);
    }
    if (l.node->schema) {
      const auto it = l.node->schema->attributes().find(name);
      if (it != l.node->schema->attributes().end() && it->second.default_value.has_name())
        return give_attribute(l, it->second.default_value, true, out);
    }
    return O2FX_ABSENT;
  });
}

o2fx_status attr_at(o2fx_ctx ctx, uint32_t index, o2fx_attr_info* out) {
  return with_node(ctx, [&](Lowering& l) -> o2fx_status {
    const onnx::NodeProto& n = l.node->proto;
    if (index >= static_cast<uint32_t>(n.attribute_size())) return O2FX_ABSENT;
    return give_attribute(l, n.attribute(static_cast<int>(index)), false, out);
  });
}

o2fx_status ignore_attr(o2fx_ctx ctx, o2fx_str name) {
  return with_node(ctx, [&](Lowering& l) {
    l.attribute_read.insert(text_of(name));
    return O2FX_OK;
  });
}

const onnx::AttributeProto& attribute_of(Lowering& l, o2fx_attr id) {
  if (id == 0 || id > l.attributes.size()) throw HostError(O2FX_E_INVALID, "attribute id " + std::to_string(id) + ": expected one of this lowering");
  return *l.attributes[id - 1];
}

std::string attribute_type(const onnx::AttributeProto& a) { return onnx::AttributeProto::AttributeType_Name(a.type()); }

o2fx_arg integer(int64_t i) {
  o2fx_arg a{};
  a.tag = O2FX_T_INT;
  a.u.i = i;
  return a;
}
o2fx_arg real(double f) {
  o2fx_arg a{};
  a.tag = O2FX_T_FLOAT;
  a.u.f = f;
  return a;
}
o2fx_arg string(const std::string& s) {
  o2fx_arg a{};
  a.tag = O2FX_T_STR;
  a.len = static_cast<uint32_t>(s.size());
  a.u.s = s.data();
  return a;
}
o2fx_arg value_arg(ValueId id) {
  o2fx_arg a{};
  a.tag = O2FX_T_VALUE;
  a.u.v = id;
  return a;
}
template <class L, class F>
o2fx_arg list(Lowering& l, const L& all, F make) {
  o2fx_arg a{};
  a.tag = O2FX_T_LIST;
  a.len = static_cast<uint32_t>(all.size());
  o2fx_arg* items = l.arena.array<o2fx_arg>(a.len + 1);
  uint32_t i = 0;
  for (const auto& x : all) items[i++] = make(x);
  a.u.list = items;
  return a;
}

o2fx_status attr_arg(o2fx_ctx ctx, o2fx_attr id, o2fx_arg* out) {
  return with_node(ctx, [&](Lowering& l) {
    const onnx::AttributeProto& a = attribute_of(l, id);
    switch (a.type()) {
      case onnx::AttributeProto::INT: *out = integer(a.i()); break;
      case onnx::AttributeProto::FLOAT: *out = real(static_cast<double>(a.f())); break;
      case onnx::AttributeProto::STRING: *out = string(a.s()); break;
      case onnx::AttributeProto::INTS: *out = list(l, a.ints(), integer); break;
      case onnx::AttributeProto::FLOATS: *out = list(l, a.floats(), [](float f) { return real(static_cast<double>(f)); }); break;
      case onnx::AttributeProto::STRINGS: *out = list(l, a.strings(), string); break;
      default:
        throw HostError(O2FX_E_MODEL, "attribute '" + a.name() + "': expected a number, a string, or a list of them, got " + attribute_type(a));
    }
    return O2FX_OK;
  });
}

o2fx_status attr_tensor(o2fx_ctx ctx, o2fx_attr id, uint32_t index, o2fx_value* out) {
  return with_node(ctx, [&](Lowering& l) {
    const onnx::AttributeProto& a = attribute_of(l, id);
    const int i = static_cast<int>(index);
    const onnx::NodeProto& n = l.node->proto;
    const std::string name = n.op_type() == "Constant" && n.output_size() ? n.output(0) : (n.name().empty() ? n.op_type() : n.name()) + "." + a.name();
    if (a.type() == onnx::AttributeProto::TENSOR && i == 0) *out = l.converter.model_tensor(a.t(), name);
    else if (a.type() == onnx::AttributeProto::TENSORS && i < a.tensors_size()) *out = l.converter.model_tensor(a.tensors(i), name);
    else if (a.type() == onnx::AttributeProto::SPARSE_TENSOR && i == 0) *out = l.converter.dense_tensor(a.sparse_tensor(), name);
    else if (a.type() == onnx::AttributeProto::SPARSE_TENSORS && i < a.sparse_tensors_size()) *out = l.converter.dense_tensor(a.sparse_tensors(i), name);
    else throw HostError(O2FX_E_MODEL, "attribute '" + a.name() + "': expected a tensor, got " + attribute_type(a));
    return O2FX_OK;
  });
}

o2fx_status attr_graph(o2fx_ctx ctx, o2fx_attr id, uint32_t index, o2fx_graph* out) {
  return with_node(ctx, [&](Lowering& l) {
    const onnx::AttributeProto& a = attribute_of(l, id);
    const int i = static_cast<int>(index);
    if (a.type() == onnx::AttributeProto::GRAPH && i == 0) l.graphs.push_back(&a.g());
    else if (a.type() == onnx::AttributeProto::GRAPHS && i < a.graphs_size()) l.graphs.push_back(&a.graphs(i));
    else throw HostError(O2FX_E_MODEL, "attribute '" + a.name() + "': expected a graph, got " + attribute_type(a));
    *out = l.graphs.size();
    return O2FX_OK;
  });
}

// ---- types across the border

o2fx_value_info raw_info(Lowering& l, const Type& t, bool is_const) {
  o2fx_value_info r{sizeof(o2fx_value_info), t.kind, t.dtype, t.rank(), is_const, nullptr, nullptr, nullptr};
  if (t.dims) {
    int64_t* dims = l.arena.array<int64_t>(t.dims->size() + 1);
    o2fx_str* params = l.arena.array<o2fx_str>(t.dims->size() + 1);
    for (size_t i = 0; i < t.dims->size(); i++) {
      const MaybeSym& d = (*t.dims)[i];
      dims[i] = d && d->is_literal() ? d->literal() : -1;
      params[i] = d && !d->is_literal() ? l.arena.copy(l.converter.builder.syms.text(*d)) : o2fx_str{nullptr, 0};
    }
    r.dims = dims;
    r.dim_params = params;
  }
  if (t.elem) {
    o2fx_value_info* elem = l.arena.array<o2fx_value_info>(1);
    *elem = raw_info(l, *t.elem, false);
    r.elem = elem;
  }
  return r;
}

Type type_from(Lowering& l, const o2fx_value_info& raw, int depth = 0) {
  if (raw.struct_size < sizeof(o2fx_value_info)) throw HostError(O2FX_E_INVALID, "value info: struct_size: expected " + std::to_string(sizeof raw));
  if (depth > 4 || raw.kind > O2FX_KIND_BOOL || raw.rank > 1024) throw HostError(O2FX_E_INVALID, "value info: expected a known kind and a sane rank");
  Type t;
  t.kind = raw.kind;
  t.dtype = raw.dtype;
  if (raw.rank >= 0) {
    t.dims.emplace(static_cast<size_t>(raw.rank));
    for (int32_t i = 0; i < raw.rank; i++) {
      MaybeSym& d = (*t.dims)[static_cast<size_t>(i)];
      if (raw.dims && raw.dims[i] >= 0) d = Sym(raw.dims[i]);
      else if (raw.dim_params && raw.dim_params[i].len) d = l.converter.builder.syms.parse(text_of(raw.dim_params[i]));
    }
  }
  if (raw.elem) t.elem = std::make_shared<Type>(type_from(l, *raw.elem, depth + 1));
  return t;
}

o2fx_status attr_type(o2fx_ctx ctx, o2fx_attr id, uint32_t index, o2fx_value_info* out) {
  return with_node(ctx, [&](Lowering& l) {
    const onnx::AttributeProto& a = attribute_of(l, id);
    const onnx::TypeProto* t = a.type() == onnx::AttributeProto::TYPE_PROTO && index == 0 ? &a.tp()
                               : a.type() == onnx::AttributeProto::TYPE_PROTOS && index < static_cast<uint32_t>(a.type_protos_size())
                                   ? &a.type_protos(static_cast<int>(index))
                                   : nullptr;
    if (!t) throw HostError(O2FX_E_MODEL, "attribute '" + a.name() + "': expected a type, got " + attribute_type(a));
    return give(raw_info(l, from_proto(*t, l.converter.builder.syms), false), out);
  });
}

// ---- what is known about values

bool is_constant(Builder& b, const Value& v) {
  if (v.source == ValueSource::kTensor) return true;
  if (!v.ints || !v.type.is_tensor() || !v.type.count()) return false;
  (void)b;
  return std::all_of(v.ints->begin(), v.ints->end(), [](const MaybeSym& s) { return s && s->is_literal(); });
}

o2fx_status value_info(o2fx_ctx ctx, o2fx_value id, o2fx_value_info* out) {
  return guarded(ctx, [&](Lowering& l) {
    Builder& b = l.converter.builder;
    const Value& v = b.value(id);
    return give(raw_info(l, v.type, is_constant(b, v)), out);
  });
}

o2fx_status set_value_info(o2fx_ctx ctx, o2fx_value id, const o2fx_value_info* info) {
  return guarded(ctx, [&](Lowering& l) {
    if (!info) throw HostError(O2FX_E_INVALID, "value info: expected an address, got NULL");
    Builder& b = l.converter.builder;
    Value& v = b.value(id);
    Type merged = v.type;
    const Type stated = type_from(l, *info);
    if (const std::string conflict = merge(merged, stated); !conflict.empty()) throw HostError(O2FX_E_INVALID, "value info: " + conflict);
    b.on_undo([&b, id, old = v.type] {
      if (b.alive(id)) b.value(id).type = old;
    });
    v.type = std::move(merged);
    v.proto.reset();
    return O2FX_OK;
  });
}

std::string packed_ints(const Value& v) {
  const size_t size = v.type.dtype == onnx::TensorProto::INT64 ? 8 : v.type.dtype == onnx::TensorProto::INT32 ? 4 : 1;
  std::string r(v.ints->size() * size, '\0');
  for (size_t i = 0; i < v.ints->size(); i++) {
    const int64_t x = (*v.ints)[i]->literal();
    std::memcpy(r.data() + i * size, &x, size);
  }
  return r;
}

o2fx_status const_data(o2fx_ctx ctx, o2fx_value id, o2fx_bytes* out) {
  return guarded(ctx, [&](Lowering& l) -> o2fx_status {
    Builder& b = l.converter.builder;
    const Value& v = b.value(id);
    if (!is_constant(b, v)) return O2FX_ABSENT;
    int64_t* dims = l.arena.array<int64_t>(v.type.dims->size() + 1);
    for (size_t i = 0; i < v.type.dims->size(); i++) dims[i] = (*v.type.dims)[i]->literal();
    std::span<const uint8_t> bytes;
    if (v.source == ValueSource::kTensor) {
      const TensorEntry& t = b.tensors()[v.tensor];
      if (t.dtype == onnx::TensorProto::STRING) throw HostError(O2FX_E_MODEL, "tensor '" + t.name + "': expected numbers, got strings");
      if (t.proto) bytes = l.converter.store.bytes(*t.proto);
      else bytes = {reinterpret_cast<const uint8_t*>(t.bytes->data()), t.bytes->size()};
    } else {
      const o2fx_str copy = l.arena.copy(packed_ints(v));
      bytes = {reinterpret_cast<const uint8_t*>(copy.data), copy.len};
    }
    *out = {bytes.data(), bytes.size(), v.type.dtype, v.type.rank(), dims};
    return O2FX_OK;
  });
}

o2fx_status const_strings(o2fx_ctx ctx, o2fx_value id, o2fx_arg* out) {
  return guarded(ctx, [&](Lowering& l) -> o2fx_status {
    Builder& b = l.converter.builder;
    const Value& v = b.value(id);
    if (v.source != ValueSource::kTensor) return O2FX_ABSENT;
    const TensorEntry& t = b.tensors()[v.tensor];
    if (t.dtype != onnx::TensorProto::STRING || !t.proto) throw HostError(O2FX_E_MODEL, "tensor '" + t.name + "': expected strings");
    *out = list(l, t.proto->string_data(), string);
    return O2FX_OK;
  });
}

o2fx_arg sym_arg(Builder& b, const Sym& s) { return s.is_literal() ? integer(s.literal()) : value_arg(b.add_number(s)); }

o2fx_status int_list(o2fx_ctx ctx, o2fx_value id, uint32_t flags, o2fx_arg* out) {
  return guarded(ctx, [&](Lowering& l) -> o2fx_status {
    Builder& b = l.converter.builder;
    const int32_t dtype = b.type(id).dtype;
    if (dtype == onnx::TensorProto::FLOAT || dtype == onnx::TensorProto::DOUBLE || dtype == onnx::TensorProto::FLOAT16 ||
        dtype == onnx::TensorProto::BFLOAT16 || dtype == onnx::TensorProto::STRING)
      return O2FX_ABSENT;
    const auto all = b.ints(id, !(flags & O2FX_INTS_KNOWN_ONLY));
    if (!all) return O2FX_ABSENT;
    *out = list(l, *all, [&](const Sym& s) { return sym_arg(b, s); });
    return O2FX_OK;
  });
}

o2fx_status dim(o2fx_ctx ctx, o2fx_value id, int32_t axis, o2fx_arg* out) {
  return guarded(ctx, [&](Lowering& l) {
    Builder& b = l.converter.builder;
    *out = sym_arg(b, b.dim(id, axis));
    return O2FX_OK;
  });
}

o2fx_status list_items(o2fx_ctx ctx, o2fx_value id, o2fx_arg* out) {
  return guarded(ctx, [&](Lowering& l) -> o2fx_status {
    const Value& v = l.converter.builder.value(id);
    if (v.source != ValueSource::kList) return O2FX_ABSENT;
    *out = list(l, v.items, value_arg);
    return O2FX_OK;
  });
}

// ---- writing

/// Lists have elements where they say so, and an end.
void check_lists(const o2fx_arg& a, int depth = 0) {
  if (a.tag != O2FX_T_LIST) return;
  if (depth == 8) throw HostError(O2FX_E_INVALID, "arguments: expected lists at most 8 deep");
  if (a.len && !a.u.list) throw HostError(O2FX_E_INVALID, "arguments: expected " + std::to_string(a.len) + " elements of a list, got NULL");
  for (uint32_t i = 0; i < a.len; i++) check_lists(a.u.list[i], depth + 1);
}

o2fx_status emit(o2fx_ctx ctx, const o2fx_emit* call, o2fx_value* results) {
  return guarded(ctx, [&](Lowering& l) {
    if (!call || call->struct_size < sizeof(o2fx_emit)) throw HostError(O2FX_E_INVALID, "emit: struct_size: expected " + std::to_string(sizeof(o2fx_emit)));
    if (!results || (call->n_args && !call->args) || (call->n_kwargs && !call->kwargs))
      throw HostError(O2FX_E_INVALID, "emit: expected arguments and room for results, got NULL");
    for (uint32_t i = 0; i < call->n_args; i++) check_lists(call->args[i]);
    for (uint32_t i = 0; i < call->n_kwargs; i++) check_lists(call->kwargs[i].arg);
    const std::vector<ValueId> ids = l.converter.builder.emit(*call);
    std::copy(ids.begin(), ids.end(), results);
    return O2FX_OK;
  });
}

o2fx_status constant(o2fx_ctx ctx, o2fx_str name, const o2fx_bytes* bytes, int32_t role, o2fx_value* out) {
  return guarded(ctx, [&](Lowering& l) {
    if (!bytes || bytes->rank < 0 || (bytes->size && !bytes->data) || (bytes->rank && !bytes->dims) ||
        std::any_of(bytes->dims, bytes->dims + bytes->rank, [](int64_t d) { return d < 0; }))
      throw HostError(O2FX_E_INVALID, "constant: expected bytes and dims");
    TensorEntry t;
    t.name = text_of(name);
    t.dtype = bytes->dtype;
    t.dims.assign(bytes->dims, bytes->dims + bytes->rank);
    t.role = role;
    t.bytes = std::make_shared<const std::string>(static_cast<const char*>(bytes->data), bytes->size);
    uint64_t n = 1;
    for (const int64_t d : t.dims) n *= static_cast<uint64_t>(d);
    if (const uint64_t expected = weights::packed_size(t.dtype, n); expected != bytes->size)
      throw HostError(O2FX_E_INVALID, "constant '" + t.name + "': expected " + std::to_string(expected) + " bytes, got " + std::to_string(bytes->size));
    std::string key = t.name + "|" + std::to_string(t.dtype) + "|" + std::to_string(role);
    for (const int64_t d : t.dims) key += "|" + std::to_string(d);
    key += "|" + *t.bytes;
    Builder& b = l.converter.builder;
    if (const auto it = l.converter.constants.find(key); it != l.converter.constants.end() && b.alive(it->second)) {
      *out = it->second;
      return O2FX_OK;
    }
    onnx::TensorProto proto;  // small integers take part in shape tracking
    if (n <= 64) {
      proto.set_data_type(t.dtype);
      for (const int64_t d : t.dims) proto.add_dims(d);
      proto.set_raw_data(*t.bytes);
    }
    *out = b.add_tensor(std::move(t));
    if (n <= 64) b.value(*out).ints = constant_ints(proto);
    l.converter.constants[key] = *out;
    return O2FX_OK;
  });
}

o2fx_status in_place(o2fx_ctx ctx, const o2fx_arg* a, o2fx_value* out) {
  return guarded(ctx, [&](Lowering& l) {
    Builder& b = l.converter.builder;
    const auto one = [&](const o2fx_arg& x) -> ValueId {
      switch (x.tag) {
        case O2FX_T_NONE: return b.add_none();
        case O2FX_T_INT: return b.add_number(Sym(x.u.i));
        case O2FX_T_VALUE: b.value(x.u.v); return x.u.v;
        default: throw HostError(O2FX_E_INVALID, "in_place: expected a LIST of VALUE, INT or NONE");
      }
    };
    if (!a) throw HostError(O2FX_E_INVALID, "in_place: expected an argument, got NULL");
    if (a->tag == O2FX_T_LIST) {
      std::vector<ValueId> items;
      for (uint32_t i = 0; i < a->len; i++) items.push_back(one(a->u.list[i]));
      *out = b.add_list(std::move(items));
    } else {
      *out = one(*a);
    }
    return O2FX_OK;
  });
}

o2fx_status int_tensor(o2fx_ctx ctx, const o2fx_arg* a, int32_t dtype, o2fx_value* out) {
  return guarded(ctx, [&](Lowering& l) {
    Builder& b = l.converter.builder;
    if (dtype != onnx::TensorProto::INT64 && dtype != onnx::TensorProto::INT32) throw HostError(O2FX_E_INVALID, "int_tensor: dtype: expected INT64 or INT32");
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
    *out = b.add_ints(std::move(ints), std::move(type));
    return O2FX_OK;
  });
}

o2fx_status set_role(o2fx_ctx ctx, o2fx_value id, int32_t role) {
  return with_node(ctx, [&](Lowering& l) -> o2fx_status {
    if (role < O2FX_ROLE_DEFAULT || role > O2FX_ROLE_MUTATED) throw HostError(O2FX_E_INVALID, "role " + std::to_string(role) + ": expected an O2FX_ROLE_*");
    Builder& b = l.converter.builder;
    const Value v = b.value(id);
    if (v.source != ValueSource::kTensor || role == O2FX_ROLE_DEFAULT) return O2FX_OK;
    TensorEntry* t = &b.tensors()[v.tensor];
    if (role == O2FX_ROLE_MUTATED) {
      if (t->uses > 1 || !t->mutated_by.empty()) {  // shared: what one node writes, no other may see
        TensorEntry copy = *t;
        copy.name += "." + (l.node->proto.name().empty() ? l.node->proto.output(0) : l.node->proto.name());
        const ValueId own = b.add_tensor(std::move(copy));
        b.replaced[id] = own;
        t = &b.tensors().back();
        t->uses = 1;
      }
      b.on_undo([t, old = *t] { *t = old; });
      t->mutated_by = l.node->proto.name();
      t->role = O2FX_ROLE_MUTATED;
    } else if (t->role == O2FX_ROLE_DEFAULT || role < t->role) {
      b.on_undo([t, old = t->role] { t->role = old; });
      t->role = role;
    }
    return O2FX_OK;
  });
}

o2fx_status set_meta(o2fx_ctx ctx, o2fx_value id, o2fx_str key, const o2fx_arg* a) {
  return guarded(ctx, [&](Lowering& l) {
    if (!a) throw HostError(O2FX_E_INVALID, "set_meta: expected an argument, got NULL");
    if (a->tag == O2FX_T_VALUE || a->tag == O2FX_T_PROGRAM || a->tag == O2FX_T_DEVICE_OF) throw HostError(O2FX_E_INVALID, "set_meta: expected a literal");
    Builder& b = l.converter.builder;
    if (fx::Node* n = b.node_of(id)) n->meta.emplace_back(text_of(key), b.argument(*a));
    return O2FX_OK;
  });
}

o2fx_status annotate(o2fx_ctx ctx, o2fx_str key, o2fx_str text) {
  return with_node(ctx, [&](Lowering& l) {
    l.notes.emplace_back(text_of(key), text_of(text));
    return O2FX_OK;
  });
}

o2fx_status set_output(o2fx_ctx ctx, uint32_t index, o2fx_value id) {
  return with_node(ctx, [&](Lowering& l) {
    Builder& b = l.converter.builder;
    const std::string name = "output " + std::to_string(index);
    if (index >= l.outputs.size() || l.node->proto.output(static_cast<int>(index)).empty()) return O2FX_OK;
    const Value& v = b.value(id);
    if (l.outputs[index]) throw HostError(O2FX_E_INVALID, name + ": it was set already");
    if (v.source == ValueSource::kNode && !b.visible(v.program, l.base_depth))
      throw HostError(O2FX_E_INVALID, name + ": expected a value of the node's own program, got one of a sub-program");
    l.outputs[index] = id;
    return O2FX_OK;
  });
}

// ---- graphs and sub-programs

const onnx::GraphProto& graph_of(Lowering& l, o2fx_graph id) {
  if (id == 0 || id > l.graphs.size()) throw HostError(O2FX_E_INVALID, "graph id " + std::to_string(id) + ": expected one of this lowering");
  return *l.graphs[id - 1];
}

o2fx_status graph_info(o2fx_ctx ctx, o2fx_graph id, o2fx_graph_info* out) {
  return with_node(ctx, [&](Lowering& l) {
    const onnx::GraphProto& g = graph_of(l, id);
    return give({sizeof(o2fx_graph_info), view_of(g.name()), static_cast<uint32_t>(g.input_size()), static_cast<uint32_t>(g.output_size())}, out);
  });
}

o2fx_status graph_value_info(o2fx_ctx ctx, o2fx_graph id, uint32_t is_output, uint32_t index, o2fx_value_info* out) {
  return with_node(ctx, [&](Lowering& l) {
    const onnx::GraphProto& g = graph_of(l, id);
    const auto& all = is_output ? g.output() : g.input();
    if (index >= static_cast<uint32_t>(all.size())) throw HostError(O2FX_E_INVALID, "graph_value_info: index " + std::to_string(index) + ": expected one below " + std::to_string(all.size()));
    return give(raw_info(l, from_proto(all.Get(static_cast<int>(index)).type(), l.converter.builder.syms), false), out);
  });
}

o2fx_status lower_subgraph(o2fx_ctx ctx, o2fx_graph id, const o2fx_value* inputs, uint32_t n_inputs, o2fx_value* outputs, uint32_t n_outputs) {
  return with_node(ctx, [&](Lowering& l) -> o2fx_status {
    const onnx::GraphProto& g = graph_of(l, id);
    if (n_inputs != static_cast<uint32_t>(g.input_size()) || n_outputs != static_cast<uint32_t>(g.output_size()))
      throw HostError(O2FX_E_MODEL, "graph '" + g.name() + "': expected " + std::to_string(g.input_size()) + " inputs and " + std::to_string(g.output_size()) +
                                        " outputs, got " + std::to_string(n_inputs) + " and " + std::to_string(n_outputs));
    Scope scope;
    scope.parent = l.scope;
    scope.opsets = l.scope->opsets;
    scope.function_path = l.scope->function_path;
    for (uint32_t i = 0; i < n_inputs; i++) {
      l.converter.builder.value(inputs[i]);
      scope.values[g.input(static_cast<int>(i)).name()] = inputs[i];
    }
    if (Faults faults = l.converter.lower_graph(g, scope); !faults.empty()) {
      l.nested.insert(l.nested.end(), faults.begin(), faults.end());
      return l.fail(O2FX_E_UNSUPPORTED, "in its graph '" + g.name() + "': " + faults[0].diagnostic.what);
    }
    const std::vector<ValueId> results = l.converter.outputs_of(g, scope);
    std::copy(results.begin(), results.end(), outputs);
    return O2FX_OK;
  });
}

o2fx_status program_begin(o2fx_ctx ctx, o2fx_str name) {
  return with_node(ctx, [&](Lowering& l) {
    l.converter.builder.begin(text_of(name));
    return O2FX_OK;
  });
}

void need_program(Lowering& l, const char* what) {
  if (l.converter.builder.depth() <= l.base_depth) throw HostError(O2FX_E_INVALID, std::string(what) + ": expected a begun program");
}

o2fx_status placeholder(o2fx_ctx ctx, o2fx_str name, const o2fx_value_info* info, o2fx_value* out) {
  return with_node(ctx, [&](Lowering& l) {
    need_program(l, "placeholder");
    Type type;
    type.kind = O2FX_KIND_TENSOR;
    if (info) type = type_from(l, *info);
    if (type.kind == O2FX_KIND_UNKNOWN && type.dtype) type.kind = O2FX_KIND_TENSOR;
    *out = l.converter.builder.placeholder(text_of(name), type);
    return O2FX_OK;
  });
}

o2fx_status program_end(o2fx_ctx ctx, const o2fx_arg* result, o2fx_program* out) {
  return with_node(ctx, [&](Lowering& l) {
    need_program(l, "program_end");
    if (!result) throw HostError(O2FX_E_INVALID, "program_end: expected a result, got NULL");
    *out = l.converter.builder.end(*result);
    return O2FX_OK;
  });
}

o2fx_status program_close(o2fx_ctx ctx, const o2fx_program* programs, uint32_t n, o2fx_arg* captures) {
  return with_node(ctx, [&](Lowering& l) {
    std::vector<uint32_t> indices;
    for (uint32_t i = 0; i < n; i++) {
      if (programs[i] > UINT32_MAX) throw HostError(O2FX_E_INVALID, "program_close: expected an ended program");
      indices.push_back(static_cast<uint32_t>(programs[i]));
    }
    *captures = list(l, l.converter.builder.close(indices), value_arg);
    return O2FX_OK;
  });
}

// ---- the table

template <size_t N>
[[noreturn]] void trap() {
  const Lowering* l = Lowering::innermost();
  std::fprintf(stderr, "onnx2fx: plugin '%s' called host slot %zu, which is newer than this host's minor %u\n",
               l ? l->plugin.id.c_str() : "?", sizeof(o2fx_host_api) / 8 + N, O2FX_ABI_MINOR);
  std::abort();
}
template <size_t... N>
constexpr std::array<void (*)(), sizeof...(N)> traps(std::index_sequence<N...>) {
  return {trap<N>...};
}

struct Table {
  o2fx_host_api api;
  std::array<void (*)(), 64> guard;
};

}  // namespace

const o2fx_host_api* host_api() {
  static const Table table = {
      {sizeof(o2fx_host_api), O2FX_ABI_MAJOR, O2FX_ABI_MINOR, O2FX_STR("onnx2fx"), {kVersion, std::strlen(kVersion)},
       get_extension, log, set_error, scratch, node_info, input, output_wanted, attr, attr_at, ignore_attr, attr_arg,
       attr_tensor, attr_graph, attr_type, value_info, set_value_info, const_data, const_strings, int_list, dim,
       list_items, emit, constant, in_place, int_tensor, set_role, set_meta, annotate, set_output, graph_info,
       graph_value_info, lower_subgraph, program_begin, placeholder, program_end, program_close},
      traps(std::make_index_sequence<64>())};
  return &table.api;
}

}  // namespace onnx2fx::conversion
