// Tensors made from sizes and numbers.
#include <onnx/onnx_pb.h>

#include <cmath>

#include "core/shapes/promotion.hpp"
#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

using Kind = Operand::Kind;
using D = onnx::TensorProto;

// Of a stated size. "new": beside the first argument, whose dtype is the default.
Returned sized(const TorchCall& c) {
  const int32_t dtype = c.says("new") ? c.self().dtype : int32_t{D::FLOAT};
  return tensor_of(c.dtype(dtype), c.integers("size"));
}

int32_t dtype_of(const Operand& number) {
  return number.kind == Kind::kBool    ? D::BOOL
         : number.kind == Kind::kInt   ? D::INT64
         : number.kind == Kind::kFloat ? int32_t{D::FLOAT}
                                       : 0;
}

Returned full(const TorchCall& c) {
  return tensor_of(c.dtype(dtype_of(c.operand("fill_value"))), c.integers("size"));
}

// Each extent an argument of its own.
Returned counted(const TorchCall& c) {
  Dims dims;
  for (const char* extent : {"n", "m", "window_length"})
    if (c.schema.find(extent)) dims.push_back(c.operand(extent).integer);
  return tensor_of(c.dtype(D::FLOAT), dims);
}

Returned scalar_tensor(const TorchCall& c) { return tensor_of(c.dtype(D::FLOAT), Dims{}); }

std::optional<double> real_of(const Operand& o) {
  if (o.kind == Kind::kFloat) return o.real;
  if (o.kind == Kind::kInt && o.integer && o.integer->is_literal())
    return static_cast<double>(o.integer->literal());
  return {};
}

// ceil((end - start) / step). Of ints: an end on the wrong side raises, so that it is never
// negative; floats only as literals, whole numbers of which count for int64.
MaybeSym steps(const TorchCall& c, int32_t dtype, const Operand& start, const Operand& end,
               const Operand& step) {
  if (start.kind == Kind::kInt && end.kind == Kind::kInt && step.kind == Kind::kInt) {
    const MaybeSym span = c.sizes.sub(end.integer, start.integer);
    if (step.integer && step.integer->is(1)) return span;
    if (!step.integer || !step.integer->is_literal()) return {};
    if (step.integer->literal() > 0) return c.sizes.ceildiv(span, step.integer);
    return c.sizes.ceildiv(c.sizes.sub(start.integer, end.integer),
                           c.sizes.sub(Sym(0), step.integer));
  }
  const auto a = real_of(start), b = real_of(end), by = real_of(step);
  if (!a || !b || !by || *by == 0) return {};
  const double n = dtype == D::INT64
                       ? std::ceil((std::trunc(*b) - std::trunc(*a)) / std::trunc(*by))
                       : std::ceil((*b - *a) / *by);
  return n >= 0 && n < 9e15 ? MaybeSym(Sym(static_cast<int64_t>(n))) : MaybeSym();
}

Returned arange(const TorchCall& c) {
  static const Operand kZero = Operand::number(MaybeSym(Sym(0))),
                       kOne = Operand::number(MaybeSym(Sym(1)));
  const Operand& start = c.schema.find("start") ? c.operand("start") : kZero;
  const Operand& step = c.schema.find("step") ? c.operand("step") : kOne;
  const Operand& end = c.operand("end");
  int32_t dtype = D::INT64;
  for (const Operand* o : {&start, &end, &step})
    if (o->kind == Kind::kFloat) dtype = D::FLOAT;
  dtype = c.dtype(dtype);
  return tensor_of(dtype, Dims{steps(c, dtype, start, end, step)});
}

// A size, as a Python int: its dims say nothing.
Returned integer(const TorchCall&) {
  Type t;
  t.kind = O2FX_KIND_INT;
  return t;
}

Returned element(const TorchCall& c) {
  Type t;
  const int32_t dtype = c.self().dtype;
  if (dtype == D::BOOL)
    t.kind = O2FX_KIND_BOOL;
  else if (is_floating(dtype))
    t.kind = O2FX_KIND_FLOAT;
  else if (is_integral(dtype))
    t.kind = O2FX_KIND_INT;
  return t;
}

constexpr TypeRule kRules[] = {
    {"sized", sized},     {"full", full},     {"scalar_tensor", scalar_tensor},
    {"counted", counted}, {"arange", arange}, {"integer", integer},
    {"element", element},
};

}  // namespace

constinit const TypeRules kFactoryRules = kRules;

}  // namespace onnx2fx::conversion
