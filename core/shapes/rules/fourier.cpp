// Discrete Fourier transforms along one axis, cut or padded to n.
#include <onnx/onnx_pb.h>

#include "core/shapes/promotion.hpp"
#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

using D = onnx::TensorProto;

int32_t as_complex(int32_t dtype) {
  if (is_integral(dtype)) return D::COMPLEX64;
  return is_complex(dtype) ? dtype : complex_of(dtype);
}

// "onesided": of a real signal, n / 2 + 1 frequencies. "real": back from them, 2 (m - 1) places.
Returned fourier(const TorchCall& c) {
  const int32_t dtype = as_complex(c.self().dtype);
  auto dims = c.self().dims;
  if (dims && !dims->empty()) {
    const auto axis = axis_of(c.literal("dim"), dims->size());
    if (!axis) return tensor_of(c.says("real") ? real_of(dtype) : dtype, Dims(dims->size()));
    MaybeSym& extent = (*dims)[*axis];
    const Sizes& z = c.sizes;
    if (c.given("n"))
      extent = c.integer("n");
    else if (c.says("real"))
      extent = z.mul(z.sub(extent, Sym(1)), Sym(2));
    if (c.says("onesided")) extent = z.add(z.floordiv(extent, Sym(2)), Sym(1));
  }
  return tensor_of(c.says("real") ? real_of(dtype) : dtype, std::move(dims));
}

constexpr TypeRule kRules[] = {{"fourier", fourier}};

}  // namespace

constinit const TypeRules kFourierRules = kRules;

}  // namespace onnx2fx::conversion
