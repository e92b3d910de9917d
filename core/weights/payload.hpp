// The data fields of a tensor: which one its data type uses, and how to decode it to ONNX's raw
// packing.
#ifndef ONNX2FX_CORE_WEIGHTS_PAYLOAD_HPP_
#define ONNX2FX_CORE_WEIGHTS_PAYLOAD_HPP_

#include <cstdint>
#include <span>
#include <string>

#include "core/read/model_file.hpp"

namespace onnx2fx::weights {

/// The reference behind a tensor whose payload was left in place; null: the tensor carries its
/// data.
const read::WeightRef* reference(const read::ModelFile& file, const onnx::TensorProto& tensor);

/// Are the payload's bytes already in raw packing?
bool is_raw(read::Field field);

/// Varints of a packed int32_data, int64_data or uint64_data field -> raw packing. Throws
/// ConversionError without a place.
std::string decode_varints(int32_t dtype, uint64_t count, std::span<const uint8_t> wire);

/// Data in the proto -> raw packing; the tensor has passed fault_of. Throws ConversionError without
/// a place.
std::string decode_fields(const onnx::TensorProto& tensor, uint64_t count);

/// BOOL bytes other than 0 and 1 are true to ONNX and undefined to torch: "" if there are none,
/// else a clean copy.
std::string clean_bools(std::span<const uint8_t> bytes);

}  // namespace onnx2fx::weights

#endif
