#include "core/weights/random_values.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <string_view>

#include "core/weights/weights.hpp"

namespace onnx2fx::weights {
namespace {

using onnx::TensorProto;

/// SplitMix64: the same everywhere, unlike the distributions of the standard library.
class Generator {
 public:
  explicit Generator(std::string_view name) {
    for (const char c : name) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  /// In [0, 1).
  double next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return std::ldexp(static_cast<double>((z ^ (z >> 31)) >> 11), -53);
  }

 private:
  uint64_t state_ = 0xcbf29ce484222325;
};

/// Towards zero; the value is a normal half or becomes zero.
uint16_t to_half(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const int exponent = static_cast<int>(bits >> 23 & 0xff) - 127 + 15;
  if (exponent <= 0) return sign;
  return static_cast<uint16_t>(sign | exponent << 10 | (bits >> 13 & 0x3ff));
}

void append(std::string& out, int32_t dtype, double value) {
  const auto put = [&](const auto& v) { out.append(reinterpret_cast<const char*>(&v), sizeof v); };
  const auto single = static_cast<float>(value);
  if (dtype == TensorProto::DOUBLE) put(value);
  if (dtype == TensorProto::FLOAT) put(single);
  if (dtype == TensorProto::FLOAT16) put(to_half(single));
  if (dtype == TensorProto::BFLOAT16)
    put(static_cast<uint16_t>(std::bit_cast<uint32_t>(single) >> 16));
}

}  // namespace

bool is_random(int32_t onnx_dtype) {
  return onnx_dtype == TensorProto::FLOAT || onnx_dtype == TensorProto::DOUBLE ||
         onnx_dtype == TensorProto::FLOAT16 || onnx_dtype == TensorProto::BFLOAT16;
}

std::string random_values(const TensorProto& tensor) {
  const uint64_t count = element_count(tensor.dims());
  double low = 0.5, high = 1.5;
  if (tensor.dims_size() >= 2 && count > 0) {
    const double fan_in = static_cast<double>(count) / static_cast<double>(tensor.dims(0));
    high = std::sqrt(3 / fan_in);
    low = -high;
  }
  Generator generator(tensor.name());
  std::string out;
  out.reserve(packed_size(tensor.data_type(), count));
  for (uint64_t i = 0; i < count; ++i)
    append(out, tensor.data_type(), low + (high - low) * generator.next());
  return out;
}

}  // namespace onnx2fx::weights
