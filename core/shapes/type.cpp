#include "core/shapes/type.hpp"

#include <onnx/onnx_pb.h>

#include "core/weights/weights.hpp"

namespace onnx2fx::conversion {

Type Type::tensor(int32_t dtype, const std::vector<int64_t>& dims) {
  Type t;
  t.kind = O2FX_KIND_TENSOR;
  t.dtype = dtype;
  t.dims.emplace();
  for (const int64_t d : dims) t.dims->push_back(Sym(d));
  return t;
}

std::optional<int64_t> Type::count() const {
  if (!dims) return {};
  int64_t n = 1;
  for (const MaybeSym& d : *dims) {
    if (!d || !d->is_literal() || d->literal() < 0) return {};  // below 0: a model that is wrong
    if (__builtin_mul_overflow(n, d->literal(), &n)) return {};
  }
  return n;
}

static Type from_tensor(const onnx::TypeProto_Tensor& proto, const SymTable& table) {
  Type t;
  t.kind = O2FX_KIND_TENSOR;
  t.dtype = proto.elem_type();
  if (!proto.has_shape()) return t;
  t.dims.emplace();
  for (const auto& d : proto.shape().dim()) {
    if (d.has_dim_value() && d.dim_value() >= 0)
      t.dims->push_back(Sym(d.dim_value()));
    else
      t.dims->push_back(d.has_dim_param() ? table.parse(d.dim_param()) : MaybeSym());
  }
  return t;
}

Type from_proto(const onnx::TypeProto& proto, const SymTable& table) {
  Type t;
  if (proto.has_tensor_type()) return from_tensor(proto.tensor_type(), table);
  if (proto.has_sequence_type()) {
    t.kind = O2FX_KIND_SEQUENCE;
    t.elem = std::make_shared<Type>(from_proto(proto.sequence_type().elem_type(), table));
  } else if (proto.has_optional_type()) {
    t.kind = O2FX_KIND_OPTIONAL;
    t.elem = std::make_shared<Type>(from_proto(proto.optional_type().elem_type(), table));
  } else if (proto.has_map_type()) {
    t.kind = O2FX_KIND_MAP;
    t.dtype = proto.map_type().key_type();
    t.elem = std::make_shared<Type>(from_proto(proto.map_type().value_type(), table));
  } else if (proto.has_sparse_tensor_type()) {
    t.kind = O2FX_KIND_SPARSE;
    t.dtype = proto.sparse_tensor_type().elem_type();
  }
  return t;
}

bool to_proto(const Type& type, SymTable& table, onnx::TypeProto* proto) {
  switch (type.kind) {
    case O2FX_KIND_TENSOR: {
      if (!type.dtype) return false;
      auto* t = proto->mutable_tensor_type();
      t->set_elem_type(type.dtype);
      if (!type.dims) return true;
      auto* shape = t->mutable_shape();
      for (const MaybeSym& d : *type.dims) {
        auto* dim = shape->add_dim();
        if (d && d->is_literal())
          dim->set_dim_value(d->literal());
        else if (d)
          dim->set_dim_param(table.text(*d));
      }
      return true;
    }
    case O2FX_KIND_SEQUENCE:
      return type.elem &&
             to_proto(*type.elem, table, proto->mutable_sequence_type()->mutable_elem_type());
    case O2FX_KIND_OPTIONAL:
      return type.elem &&
             to_proto(*type.elem, table, proto->mutable_optional_type()->mutable_elem_type());
    case O2FX_KIND_MAP:
      proto->mutable_map_type()->set_key_type(type.dtype);
      return type.elem &&
             to_proto(*type.elem, table, proto->mutable_map_type()->mutable_value_type());
    default:
      return false;
  }
}

static std::string merge_dims(Type& into, const Type& from) {
  if (!into.dims) into.dims = from.dims;
  if (!from.dims) return {};
  if (into.dims->size() != from.dims->size())
    return "rank " + std::to_string(from.dims->size()) + " contradicts the known rank " +
           std::to_string(into.dims->size());
  for (size_t i = 0; i < into.dims->size(); i++) {
    MaybeSym& a = (*into.dims)[i];
    const MaybeSym& b = (*from.dims)[i];
    if (!b) continue;
    if (a && a->is_literal() && b->is_literal() && !(*a == *b))
      return "axis " + std::to_string(i) + ": extent " + std::to_string(b->literal()) +
             " contradicts the known " + std::to_string(a->literal());
    if (!a || (b->is_literal() && !a->is_literal())) a = b;
  }
  return {};
}

std::string merge(Type& into, const Type& from) {
  if (from.kind == O2FX_KIND_UNKNOWN) return {};
  if (into.kind == O2FX_KIND_UNKNOWN) {
    into = from;
    return {};
  }
  if (into.kind != from.kind)
    return "kind " + std::to_string(from.kind) + " contradicts the known kind " +
           std::to_string(into.kind);
  if (!into.dtype)
    into.dtype = from.dtype;
  else if (from.dtype && from.dtype != into.dtype)
    return "dtype " + std::to_string(from.dtype) + " contradicts the known dtype " +
           std::to_string(into.dtype);
  if (from.elem) {
    Type e = into.elem ? *into.elem : Type{};
    if (std::string conflict = merge(e, *from.elem); !conflict.empty()) return conflict;
    into.elem = std::make_shared<Type>(std::move(e));
  }
  return merge_dims(into, from);
}

fx::TypeText type_text(const Type& t, SymTable& syms) {
  fx::TypeText r;
  if (!t.is_tensor()) return r;
  r.dtype = t.dtype ? weights::carrier(t.dtype) : "";
  if (t.dims) {
    r.shape.emplace();
    for (const MaybeSym& d : *t.dims) r.shape->push_back(d ? syms.text(*d) : "?");
  }
  return r;
}

std::string text(const Type& type, SymTable& table) {
  switch (type.kind) {
    case O2FX_KIND_SEQUENCE:
      return "sequence(" + (type.elem ? text(*type.elem, table) : "?") + ")";
    case O2FX_KIND_OPTIONAL:
      return "optional(" + (type.elem ? text(*type.elem, table) : "?") + ")";
    case O2FX_KIND_TENSOR:
      break;
    default:
      return "?";
  }
  const std::string carrier = type.dtype ? weights::carrier(type.dtype) : "";
  std::string s = carrier.empty() ? (type.dtype == 8 ? "string" : "?") : carrier;
  if (!type.dims) return s;
  s += "[";
  for (size_t i = 0; i < type.dims->size(); i++) {
    const MaybeSym& d = (*type.dims)[i];
    s += (i ? ", " : "") + (d ? table.text(*d) : "?");
  }
  return s + "]";
}

}  // namespace onnx2fx::conversion
