// Element by element: operands broadcast; the words of a rule say in which dtype the result is.
//   promote    torch's promotion
//   float      the same, integers as the default float dtype
//   divide     float, unless a rounding mode is given
//   bool       a condition
//   self       the first operand's dtype
//   real       the first operand's, of a complex one its real dtype
#include <onnx/onnx_pb.h>

#include <algorithm>

#include "core/shapes/promotion.hpp"
#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

using Kind = Operand::Kind;
using D = onnx::TensorProto;

bool promotes(std::string_view argument) {
  static constexpr std::string_view kNames[] = {"self", "other",  "exponent", "min",     "max",
                                                "end",  "weight", "start",    "tensor1", "tensor2"};
  return std::find(std::begin(kNames), std::end(kNames), argument) != std::end(kNames);
}

void add_number(const Operand& o, Promotion& p) {
  if (o.kind == Kind::kInt) p.number(D::INT64);
  if (o.kind == Kind::kFloat) p.number(D::FLOAT);
  if (o.kind == Kind::kBool) p.number(D::BOOL);
}

int32_t promoted(const TorchCall& c) {
  Promotion p;
  for (size_t i = 0; i < c.schema.arguments.size(); i++) {
    const Operand& o = c.operands()[i];
    if (!promotes(c.schema.arguments[i].name)) continue;
    if (o.kind == Kind::kValue)
      p.tensor(o.type->dtype, o.type->rank());
    else
      add_number(o, p);
  }
  return carried(p.result());
}

int32_t as_float(int32_t dtype) { return is_integral(dtype) ? int32_t{D::FLOAT} : dtype; }

int32_t result_dtype(const TorchCall& c) {
  if (c.says("bool")) return D::BOOL;
  if (c.says("self")) return c.self().dtype;
  if (c.says("real")) return real_of(c.self().dtype);
  if (c.says("promote") || c.given("rounding_mode")) return promoted(c);
  return as_float(promoted(c));
}

std::optional<Dims> broadcast_all(const TorchCall& c) {
  std::optional<Dims> dims = Dims{};
  for (const Operand& o : c.operands()) {
    if (o.kind != Kind::kValue) continue;
    if (!dims || !o.type->dims) return {};
    dims = c.sizes.broadcast(*dims, *o.type->dims);
  }
  return dims;
}

Returned pointwise(const TorchCall& c) { return tensor_of(result_dtype(c), broadcast_all(c)); }

// The shape of the first argument, whatever the others are; its dtype, unless one is asked for.
//   integer    sums and products of integers: int64
Returned like(const TorchCall& c) {
  int32_t dtype = c.self().dtype;
  if (c.says("integer") && is_integral(dtype)) dtype = D::INT64;
  return tensor_of(c.dtype(dtype), c.self().dims);
}

Returned to_other(const TorchCall& c) { return tensor_of(c.tensor("other").dtype, c.self().dims); }

Returned complex(const TorchCall& c) {
  const Type &real = c.tensor("real"), &imag = c.tensor("imag");
  std::optional<Dims> dims;
  if (real.dims && imag.dims) dims = c.sizes.broadcast(*real.dims, *imag.dims);
  return tensor_of(complex_of(real.dtype), std::move(dims));
}

Returned native_dropout(const TorchCall& c) {
  return Types{tensor_of(c.self().dtype, c.self().dims), tensor_of(D::BOOL, c.self().dims)};
}

constexpr TypeRule kRules[] = {
    {"pointwise", pointwise},
    {"like", like},
    {"to_other", to_other},
    {"complex", complex},
    {"native_dropout", native_dropout},
};

}  // namespace

constinit const TypeRules kElementwiseRules = kRules;

}  // namespace onnx2fx::conversion
