#include "plugins/lowering/draws.hpp"

#include <bit>
#include <cmath>
#include <numbers>
#include <string>

#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/dtype.hpp"

namespace onnx2fx {
namespace {

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15, kFirst = 0xbf58476d1ce4e5b9,
                   kSecond = 0x94d049bb133111eb;

int64_t wrapped(uint64_t i) { return static_cast<int64_t>(i); }

int64_t mixed(int64_t number) {
  auto z = static_cast<uint64_t>(number);
  z = (z ^ z >> 30) * kFirst;
  z = (z ^ z >> 27) * kSecond;
  return wrapped(z ^ z >> 31);
}

// To the right, zeros coming in.
Value shifted(Node& n, Value z, int64_t by) {
  const Value kept = n.call("aten::bitwise_right_shift.Tensor_Scalar", {z, by});
  return n.call("aten::bitwise_and.Scalar", {kept, (int64_t{1} << (64 - by)) - 1});
}

Value mixed(Node& n, Value z) {
  const auto folded = [&](int64_t by) {
    return n.call("aten::bitwise_xor.Tensor", {z, shifted(n, z, by)});
  };
  z = n.call("aten::mul.Scalar", {folded(30), wrapped(kFirst)});
  z = n.call("aten::mul.Scalar", {folded(27), wrapped(kSecond)});
  return folded(31);
}

// Integers in [0, 2^bits), each as likely as the others.
Value drawn(Node& n, const Seed& seed, const Ints& size, int64_t bits) {
  Value key = n.call("aten::mul.Scalar", {seed.draws, wrapped(kGolden)});
  key = mixed(n, n.call("aten::add.Scalar", {key, mixed(seed.number)}));
  n.call("aten::add_.Scalar", {seed.draws, 1});
  Int count = 1;
  for (const Int& extent : size) count = n.mul(count, extent);
  Value place = arange_from(n, 1, n.add(count, 1), seed.draws);
  if (size.size() != 1) place = n.call("aten::reshape", {place, size});
  place = n.call("aten::mul.Scalar", {place, wrapped(kGolden)});
  return shifted(n, mixed(n, n.call("aten::add.Tensor", {place, key})), 64 - bits);
}

int64_t bits_of(int32_t dtype) {
  switch (dtype) {
    case kDouble:
      return 53;
    case kFloat:
      return 24;
    case kFloat16:
      return 11;
    case kBfloat16:
      return 8;
    default:
      throw Unsupported(
          "attribute 'seed': expected elements of float, double, float16 or bfloat16");
  }
}

Seed own_generator(Node& n, int64_t number) {
  n.annotate("seed",
             "kept: a generator of the node's own; it starts afresh when the module is loaded, "
             "its count of draws is part of the state_dict");
  const std::string owner(n.name().empty() ? n.op_type() : n.name());
  return {number,
          n.constant(owner + ".draws", kInt64, std::vector<int64_t>{0}, {}, O2FX_ROLE_MUTATED)};
}

}  // namespace

std::optional<Seed> real_seed(Node& n) {
  if (!n.has("seed")) return {};
  const double seed = n.real("seed");
  const bool whole = std::abs(seed) < 0x1p53 && seed == std::trunc(seed);
  return own_generator(n, whole ? static_cast<int64_t>(seed) : std::bit_cast<int64_t>(seed));
}

std::optional<Seed> integer_seed(Node& n) {
  if (!n.has("seed")) return {};
  return own_generator(n, n.int64("seed"));
}

Value uniform(Node& n, const Seed& seed, const Ints& size, int32_t dtype) {
  const int64_t bits = bits_of(dtype);
  const Value whole = to_dtype(n, drawn(n, seed, size, bits), dtype);
  return n.call("aten::mul.Scalar", {whole, std::ldexp(1.0, -static_cast<int>(bits))});
}

Value normal(Node& n, const Seed& seed, const Ints& size, int32_t dtype) {
  Value y = to_dtype(n, drawn(n, seed, size, 52), kDouble);
  y = n.call("aten::mul.Scalar", {y, 0x1p-51});
  y = n.call("aten::add.Scalar", {y, 0x1p-52 - 1});
  y = n.call("aten::mul.Scalar", {n.call("aten::erfinv", {y}), std::numbers::sqrt2});
  return dtype == kDouble ? y : to_dtype(n, y, dtype);
}

}  // namespace onnx2fx
