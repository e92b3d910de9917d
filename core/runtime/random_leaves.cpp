// Draws of an operator that has a seed: number i of draw d is SplitMix64 of (seed, d) at place i,
// in int64, which wraps. `draws` is a buffer of the node that counts them. The same numbers as
// random_leaves.py.
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/erfinv.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/ones_like.h>
#include <c10/util/accumulate.h>

#include <cmath>
#include <numbers>

#include "core/runtime/leaf_functions.hpp"

namespace onnx2fx::runtime::leaf {
namespace {

constexpr auto kGolden = static_cast<int64_t>(0x9e3779b97f4a7c15);

// To the right, zeros coming in.
at::Tensor shifted(const at::Tensor& z, int64_t by) {
  return z.bitwise_right_shift(by).bitwise_and((int64_t{1} << (64 - by)) - 1);
}

at::Tensor mixed(at::Tensor z) {
  z = z.bitwise_xor(shifted(z, 30)).mul(static_cast<int64_t>(0xbf58476d1ce4e5b9));
  z = z.bitwise_xor(shifted(z, 27)).mul(static_cast<int64_t>(0x94d049bb133111eb));
  return z.bitwise_xor(shifted(z, 31));
}

// Integers in [0, 2^bits).
at::Tensor drawn(at::IntArrayRef size, int64_t bits, int64_t seed, const at::Tensor& draws) {
  const at::Tensor key = mixed(mixed(at::full_like(draws, seed)).add(draws.mul(kGolden)));
  draws.add_(1);
  const at::Tensor places = at::arange(1, c10::multiply_integers(size) + 1, draws.options());
  return shifted(mixed(key.add(places.reshape(size).mul(kGolden))), 64 - bits);
}

int64_t bits_of(at::ScalarType dtype) {
  if (dtype == at::kDouble) return 53;
  if (dtype == at::kFloat) return 24;
  if (dtype == at::kHalf) return 11;
  TORCH_CHECK(dtype == at::kBFloat16, "dtype: expected a floating type, got ", dtype);
  return 8;
}

}  // namespace

// (size, dtype, seed, draws): uniform in [0, 1).
c10::IValue seeded_rand(Arguments& x, const Context&) {
  const at::ScalarType dtype = x[1].toScalarType();
  const int64_t bits = bits_of(dtype);
  const at::Tensor whole = drawn(x[0].toIntVector(), bits, x[2].toInt(), x[3].toTensor());
  return whole.to(dtype).mul(std::ldexp(1.0, -static_cast<int>(bits)));
}

// (size, dtype, seed, draws): normal, by the inverse of the distribution.
c10::IValue seeded_randn(Arguments& x, const Context&) {
  const at::Tensor whole = drawn(x[0].toIntVector(), 52, x[2].toInt(), x[3].toTensor());
  const at::Tensor odd = whole.to(at::kDouble).mul(2).add(1 - 0x1p52);
  return at::erfinv(odd.mul(0x1p-52)).mul(std::numbers::sqrt2).to(x[1].toScalarType());
}

// (input, p, train, seed, draws): the result and the mask of what stays.
c10::IValue seeded_dropout(Arguments& x, const Context&) {
  const at::Tensor input = x[0].toTensor();
  const double p = x[1].toDouble();
  TORCH_CHECK(0 <= p && p <= 1, "ratio: expected a value in [0, 1], got ", p);
  if (!x[2].toBool())
    return c10::ivalue::Tuple::create(input,
                                      at::ones_like(input, input.options().dtype(at::kBool)));
  const at::Tensor mask = drawn(input.sizes(), 24, x[3].toInt(), x[4].toTensor()).ge(p * 0x1p24);
  return c10::ivalue::Tuple::create(input.mul(mask).mul(p == 1 ? 0 : 1 / (1 - p)), mask);
}

}  // namespace onnx2fx::runtime::leaf
