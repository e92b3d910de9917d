#include "core/shapes/call.hpp"

#include <algorithm>

namespace onnx2fx::conversion {

using Kind = Operand::Kind;

Operand Operand::of(Kind kind) {
  Operand o;
  o.kind = kind;
  return o;
}
Operand Operand::boolean(std::optional<bool> b) {
  Operand o = of(Kind::kBool);
  o.flag = b;
  return o;
}
Operand Operand::number(MaybeSym s) {
  Operand o = of(Kind::kInt);
  o.integer = std::move(s);
  return o;
}
Operand Operand::number(std::optional<double> d) {
  Operand o = of(Kind::kFloat);
  o.real = d;
  return o;
}
Operand Operand::words(std::string s) {
  Operand o = of(Kind::kText);
  o.text = std::move(s);
  return o;
}
Operand Operand::of_dtype(int32_t onnx) {
  Operand o = of(Kind::kDtype);
  o.dtype = onnx;
  return o;
}
Operand Operand::value(const Type& type) {
  Operand o = of(Kind::kValue);
  o.type = &type;
  return o;
}
Operand Operand::list(std::vector<Operand> items) {
  Operand o = of(Kind::kList);
  o.items = std::move(items);
  return o;
}

bool TorchCall::says(std::string_view word) const {
  return std::find(words_.begin(), words_.end(), word) != words_.end();
}

const Operand& TorchCall::operand(std::string_view name) const {
  static const Operand kNothing = Operand::none();
  const std::optional<size_t> i = schema.find(name);
  return i && operands_[*i].kind != Kind::kAbsent ? operands_[*i] : kNothing;
}

const Type& TorchCall::tensor(std::string_view name) const {
  static const Type kUnknown;
  const Operand& o = operand(name);
  return o.kind == Kind::kValue && o.type->is_tensor() ? *o.type : kUnknown;
}

static MaybeSym integer_of(const Operand& o) {
  if (o.kind == Kind::kInt) return o.integer;
  if (o.kind == Kind::kBool && o.flag) return Sym(*o.flag);
  return {};
}

MaybeSym TorchCall::integer(std::string_view name) const { return integer_of(operand(name)); }

std::optional<int64_t> TorchCall::literal(std::string_view name) const {
  const MaybeSym s = integer(name);
  return s && s->is_literal() ? std::optional(s->literal()) : std::nullopt;
}

std::optional<bool> TorchCall::flag(std::string_view name) const {
  const Operand& o = operand(name);
  return o.kind == Kind::kBool ? o.flag : std::nullopt;
}

std::optional<Dims> TorchCall::integers(std::string_view name, size_t n) const {
  const Operand& o = operand(name);
  Dims r;
  if (o.kind == Kind::kInt)
    r.push_back(o.integer);
  else if (o.kind == Kind::kList)
    for (const Operand& item : o.items) r.push_back(integer_of(item));
  else
    return {};
  if (n > 1 && r.size() == 1) r.assign(n, MaybeSym(r[0]));
  return n && r.size() != n ? std::nullopt : std::optional(std::move(r));
}

std::optional<std::vector<int64_t>> TorchCall::literals(std::string_view name) const {
  const std::optional<Dims> all = integers(name);
  if (!all) return {};
  std::vector<int64_t> r;
  for (const MaybeSym& s : *all) {
    if (!s || !s->is_literal()) return {};
    r.push_back(s->literal());
  }
  return r;
}

TorchCall::Tensors TorchCall::tensors(std::string_view name) const {
  Tensors r;
  const Operand& o = operand(name);
  if (o.kind == Kind::kList) {
    for (const Operand& item : o.items)
      r.types.push_back(item.kind == Kind::kValue ? *item.type : Type{});
  } else {
    r.open = true;
    const bool known = o.kind == Kind::kValue && o.type->kind == O2FX_KIND_SEQUENCE && o.type->elem;
    r.types.push_back(known ? *o.type->elem : Type{});
  }
  return r;
}

int32_t TorchCall::dtype(int32_t or_else) const {
  const Operand& o = operand("dtype");
  return o.kind == Kind::kDtype ? o.dtype : or_else;
}

std::optional<size_t> axis_of(std::optional<int64_t> axis, size_t rank) {
  const auto n = static_cast<int64_t>(std::max<size_t>(rank, 1));
  if (!axis || *axis < -n || *axis >= n) return {};
  return static_cast<size_t>(*axis < 0 ? *axis + n : *axis);
}

Type tensor_of(int32_t dtype, std::optional<Dims> dims) {
  Type t;
  t.kind = O2FX_KIND_TENSOR;
  t.dtype = dtype;
  t.dims = std::move(dims);
  return t;
}

Type common(const Type& a, const Type& b) {
  Type r;
  if (a.kind != b.kind) return r;
  r.kind = a.kind;
  r.dtype = a.dtype == b.dtype ? a.dtype : 0;
  if (a.elem && b.elem) r.elem = std::make_shared<Type>(common(*a.elem, *b.elem));
  if (!a.dims || !b.dims || a.dims->size() != b.dims->size()) return r;
  r.dims = a.dims;
  for (size_t i = 0; i < r.dims->size(); i++)
    if (!((*a.dims)[i] == (*b.dims)[i])) (*r.dims)[i].reset();
  return r;
}

}  // namespace onnx2fx::conversion
