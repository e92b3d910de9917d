// ONNX data types: how their elements are packed, and which torch dtype carries them.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string_view>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::weights {
namespace {

static_assert(std::endian::native == std::endian::little,
              "weights are viewed as they lie in the file");

using onnx::TensorProto;

struct OnnxType {
  int32_t dtype;
  uint32_t bits;  ///< of one element in raw_data; 0: it has no bytes
  std::string_view carrier;
};
constexpr OnnxType kOnnxTypes[] = {
#define O2FX_ONNX_DTYPE(number, onnx, sdk, bits, carrier) {TensorProto::onnx, bits, #carrier},
#include <onnx2fx/dtypes.def>
};
#define O2FX_ONNX_DTYPE(number, onnx, sdk, bits, carrier) \
  static_assert(TensorProto::onnx == number);
#include <onnx2fx/dtypes.def>

struct TorchType {
  std::string_view name;
  uint64_t size;  ///< of one element
};
constexpr TorchType kTorchTypes[] = {
#define O2FX_TORCH_DTYPE(torch, scalar_type, bytes, safetensors, components) {#torch, bytes},
#include <onnx2fx/dtypes.def>
};

/// Null: there is none, or its elements have no bytes.
const OnnxType* row_of(int32_t dtype) {
  const OnnxType* row = std::ranges::find(kOnnxTypes, dtype, &OnnxType::dtype);
  return row == std::end(kOnnxTypes) || row->bits == 0 ? nullptr : row;
}

std::string name_of(int32_t dtype) {
  const std::string name = TensorProto::DataType_Name(static_cast<TensorProto::DataType>(dtype));
  return name.empty() ? std::to_string(dtype) : name;
}

/// Element i of a bit stream, least significant bits first.
uint32_t element_bits(std::span<const uint8_t> packed, uint64_t i, uint32_t bits) {
  const uint64_t at = i * bits;
  const uint64_t byte = at / 8;
  uint32_t window = packed[byte];
  if (byte + 1 < packed.size()) window |= static_cast<uint32_t>(packed[byte + 1]) << 8;
  return window >> (at % 8) & ((1u << bits) - 1);
}

/// The value of a small float: sign, exponent, mantissa; no infinities or NaN.
float small_float(uint32_t code, int exponent_bits, int mantissa_bits, int bias) {
  const int exponent = static_cast<int>(code >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = static_cast<int>(code & ((1u << mantissa_bits) - 1));
  const int implicit = exponent == 0 ? 0 : 1 << mantissa_bits;
  const float magnitude = std::ldexp(static_cast<float>(implicit + mantissa),
                                     (exponent == 0 ? 1 : exponent) - bias - mantissa_bits);
  return code >> (exponent_bits + mantissa_bits) & 1 ? -magnitude : magnitude;
}

float small_float(int32_t dtype, uint32_t code) {
  switch (dtype) {
    case TensorProto::FLOAT6E2M3:
      return small_float(code, 2, 3, 1);
    case TensorProto::FLOAT6E3M2:
      return small_float(code, 3, 2, 3);
    default:
      return small_float(code, 2, 1, 1);
  }
}

}  // namespace

std::string carrier(int32_t onnx_dtype) {
  const OnnxType* row = row_of(onnx_dtype);
  return row ? std::string(row->carrier) : "";
}

uint64_t packed_size(int32_t onnx_dtype, uint64_t n) {
  const OnnxType* row = row_of(onnx_dtype);
  if (!row) throw ConversionError("", "data type " + name_of(onnx_dtype) + " has no bytes");
  uint64_t bits = 0;
  if (__builtin_mul_overflow(n, uint64_t{row->bits}, &bits) || bits > UINT64_MAX - 7) {
    throw ConversionError(
        "", "tensor is too large: " + std::to_string(n) + " elements of " + name_of(onnx_dtype));
  }
  return (bits + 7) / 8;
}

uint64_t element_size(const std::string& torch_dtype) {
  const TorchType* row = std::ranges::find(kTorchTypes, torch_dtype, &TorchType::name);
  if (row == std::end(kTorchTypes))
    throw ConversionError("", "torch dtype '" + torch_dtype + "' is not known");
  return row->size;
}

uint64_t element_count(const google::protobuf::RepeatedField<int64_t>& dims) {
  uint64_t count = 1;
  bool overflow = false, zero = false;
  for (const int64_t dim : dims) {
    if (dim < 0)
      throw ConversionError("", "dims: expected no negative number, got " + std::to_string(dim));
    if (dim == 0) zero = true;
    if (!overflow) overflow = __builtin_mul_overflow(count, static_cast<uint64_t>(dim), &count);
  }
  if (zero) return 0;
  if (overflow || count > INT64_MAX) throw ConversionError("", "dims: their product is too large");
  return count;
}

std::string unpack(int32_t onnx_dtype, std::span<const uint8_t> packed, uint64_t n) {
  const OnnxType* row = row_of(onnx_dtype);
  if (!row || packed.size() != packed_size(onnx_dtype, n)) {
    throw ConversionError("", "cannot unpack " + std::to_string(packed.size()) + " bytes to " +
                                  std::to_string(n) + " elements of " + name_of(onnx_dtype));
  }
  if (row->bits >= 8) return std::string(packed.begin(), packed.end());
  const uint64_t size = element_size(std::string(row->carrier));
  std::string out(n * size, '\0');
  const bool is_signed = onnx_dtype == TensorProto::INT4 || onnx_dtype == TensorProto::INT2;
  for (uint64_t i = 0; i < n; ++i) {
    const uint32_t code = element_bits(packed, i, row->bits);
    if (size == sizeof(float)) {
      const float value = small_float(onnx_dtype, code);
      std::memcpy(out.data() + i * size, &value, sizeof value);
    } else {
      const uint32_t sign = 1u << (row->bits - 1);
      out[i] = static_cast<char>(is_signed ? (code ^ sign) - sign : code);
    }
  }
  return out;
}

}  // namespace onnx2fx::weights
