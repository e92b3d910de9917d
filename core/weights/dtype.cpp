// ONNX data types: how their elements are packed, and which torch dtype carries them.
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::weights {
namespace {

static_assert(std::endian::native == std::endian::little,
              "weights are viewed as they lie in the file");

using onnx::TensorProto;

struct TypeRow {
  int32_t dtype;
  uint32_t bits;  ///< of one element in raw_data
  const char* carrier;
};
constexpr TypeRow kTypes[] = {
    {TensorProto::FLOAT, 32, "float32"},
    {TensorProto::UINT8, 8, "uint8"},
    {TensorProto::INT8, 8, "int8"},
    {TensorProto::UINT16, 16, "uint16"},
    {TensorProto::INT16, 16, "int16"},
    {TensorProto::INT32, 32, "int32"},
    {TensorProto::INT64, 64, "int64"},
    {TensorProto::BOOL, 8, "bool"},
    {TensorProto::FLOAT16, 16, "float16"},
    {TensorProto::DOUBLE, 64, "float64"},
    {TensorProto::UINT32, 32, "uint32"},
    {TensorProto::UINT64, 64, "uint64"},
    {TensorProto::COMPLEX64, 64, "complex64"},
    {TensorProto::COMPLEX128, 128, "complex128"},
    {TensorProto::BFLOAT16, 16, "bfloat16"},
    {TensorProto::FLOAT8E4M3FN, 8, "float8_e4m3fn"},
    {TensorProto::FLOAT8E4M3FNUZ, 8, "float8_e4m3fnuz"},
    {TensorProto::FLOAT8E5M2, 8, "float8_e5m2"},
    {TensorProto::FLOAT8E5M2FNUZ, 8, "float8_e5m2fnuz"},
    {TensorProto::UINT4, 4, "uint8"},
    {TensorProto::INT4, 4, "int8"},
    {TensorProto::FLOAT4E2M1, 4, "float32"},
    {TensorProto::FLOAT8E8M0, 8, "float8_e8m0fnu"},
    {TensorProto::UINT2, 2, "uint8"},
    {TensorProto::INT2, 2, "int8"},
    {TensorProto::FLOAT6E2M3, 6, "float32"},
    {TensorProto::FLOAT6E3M2, 6, "float32"},
};

const TypeRow* row_of(int32_t dtype) {
  for (const TypeRow& row : kTypes) {
    if (row.dtype == dtype) return &row;
  }
  return nullptr;
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
  const TypeRow* row = row_of(onnx_dtype);
  return row ? row->carrier : "";
}

uint64_t packed_size(int32_t onnx_dtype, uint64_t n) {
  const TypeRow* row = row_of(onnx_dtype);
  if (!row) throw ConversionError("", "data type " + name_of(onnx_dtype) + " has no bytes");
  uint64_t bits = 0;
  if (__builtin_mul_overflow(n, uint64_t{row->bits}, &bits) || bits > UINT64_MAX - 7) {
    throw ConversionError(
        "", "tensor is too large: " + std::to_string(n) + " elements of " + name_of(onnx_dtype));
  }
  return (bits + 7) / 8;
}

uint64_t element_size(const std::string& torch_dtype) {
  for (const TypeRow& row : kTypes) {
    if (row.bits >= 8 && torch_dtype == row.carrier) return row.bits / 8;
  }
  throw ConversionError("", "torch dtype '" + torch_dtype + "' is not known");
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
  const TypeRow* row = row_of(onnx_dtype);
  if (!row || packed.size() != packed_size(onnx_dtype, n)) {
    throw ConversionError("", "cannot unpack " + std::to_string(packed.size()) + " bytes to " +
                                  std::to_string(n) + " elements of " + name_of(onnx_dtype));
  }
  if (row->bits >= 8) return std::string(packed.begin(), packed.end());
  const uint64_t size = element_size(row->carrier);
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
