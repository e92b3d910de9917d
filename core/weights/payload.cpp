#include "core/weights/payload.hpp"

#include <algorithm>
#include <cstring>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::weights {
namespace {

using onnx::TensorProto;
using read::Field;

const char* field_name(Field field) {
  switch (field) {
    case Field::kFloatData:
      return "float_data";
    case Field::kInt32Data:
      return "int32_data";
    case Field::kInt64Data:
      return "int64_data";
    case Field::kRawData:
      return "raw_data";
    case Field::kDoubleData:
      return "double_data";
    case Field::kUint64Data:
      return "uint64_data";
    case Field::kExternal:
      return "external data";
  }
  return "";
}

/// The typed field of a data type other than STRING.
Field typed_field(int32_t dtype) {
  switch (dtype) {
    case TensorProto::FLOAT:
    case TensorProto::COMPLEX64:
      return Field::kFloatData;
    case TensorProto::DOUBLE:
    case TensorProto::COMPLEX128:
      return Field::kDoubleData;
    case TensorProto::INT64:
      return Field::kInt64Data;
    case TensorProto::UINT32:
    case TensorProto::UINT64:
      return Field::kUint64Data;
    default:
      return Field::kInt32Data;
  }
}

/// One entry of int32_data is one element, but for types below six bits one byte of packed
/// elements.
bool packs_bytes(int32_t dtype) {
  switch (dtype) {
    case TensorProto::UINT4:
    case TensorProto::INT4:
    case TensorProto::FLOAT4E2M1:
    case TensorProto::UINT2:
    case TensorProto::INT2:
      return true;
    default:
      return false;
  }
}
bool is_float6(int32_t dtype) {
  return dtype == TensorProto::FLOAT6E2M3 || dtype == TensorProto::FLOAT6E3M2;
}

uint64_t entries_of(int32_t dtype, uint64_t count) {
  if (packs_bytes(dtype)) return packed_size(dtype, count);
  return dtype == TensorProto::COMPLEX64 || dtype == TensorProto::COMPLEX128 ? count * 2 : count;
}

/// Appends entries of a varint field to raw packing.
class Packer {
 public:
  Packer(int32_t dtype, uint64_t count) : dtype_(dtype) {
    size_ = packs_bytes(dtype) || is_float6(dtype) ? 1 : packed_size(dtype, 1);
    out_.reserve(packed_size(dtype, count));
  }

  void add(uint64_t value) {
    if (dtype_ == TensorProto::BOOL) value = value != 0;
    if (is_float6(dtype_)) return add_float6(value);
    if (!fits(value))
      throw ConversionError("", "data: value does not fit its data type: got " + text(value));
    out_.append(reinterpret_cast<const char*>(&value), size_);
  }
  std::string take() {
    if (fill_ > 0) out_.push_back(static_cast<char>(bits_));
    return std::move(out_);
  }

 private:
  // Bit patterns come signed or unsigned, as the writer's language had them.
  bool fits(uint64_t value) const {
    if (size_ == 8) return true;
    const auto as_signed = static_cast<int64_t>(value);
    const int64_t limit = int64_t{1} << (8 * size_);
    return as_signed >= -limit / 2 && as_signed < limit;
  }
  std::string text(uint64_t value) const { return std::to_string(static_cast<int64_t>(value)); }

  void add_float6(uint64_t value) {
    if (value > 0x3f)
      throw ConversionError("", "data: expected a 6-bit pattern, got " + text(value));
    bits_ |= static_cast<uint32_t>(value) << fill_;
    for (fill_ += 6; fill_ >= 8; fill_ -= 8, bits_ >>= 8) out_.push_back(static_cast<char>(bits_));
  }

  int32_t dtype_;
  uint64_t size_ = 0;
  std::string out_;
  uint32_t bits_ = 0;
  int fill_ = 0;
};

std::string expected(const std::string& what, const std::string& wanted, uint64_t got) {
  return what + ": expected " + wanted + ", got " + std::to_string(got);
}

std::string reference_fault(const read::WeightRef& ref, int32_t dtype, uint64_t count) {
  if (dtype == TensorProto::STRING) return "data: strings cannot be stored as raw bytes";
  if (ref.field == Field::kExternal && (ref.is_served || !ref.has_length)) return "";
  const uint64_t size = packed_size(dtype, count);
  if (is_raw(ref.field)) {
    if (ref.field == Field::kFloatData || ref.field == Field::kDoubleData) {
      if (typed_field(dtype) != ref.field) {
        return std::string("data: expected it in ") + field_name(typed_field(dtype)) + ", got " +
               field_name(ref.field);
      }
    }
    return ref.length == size
               ? ""
               : expected(field_name(ref.field), std::to_string(size) + " bytes", ref.length);
  }
  if (typed_field(dtype) != ref.field) {
    return std::string("data: expected it in ") + field_name(typed_field(dtype)) + ", got " +
           field_name(ref.field);
  }
  const uint64_t entries = entries_of(dtype, count);
  const bool possible = ref.length >= entries && ref.length / 10 <= entries;
  return possible
             ? ""
             : expected(field_name(ref.field), std::to_string(entries) + " values", ref.length) +
                   " bytes";
}

struct Present {
  Field field;
  uint64_t entries;
};

/// The data fields of the proto that hold something.
std::vector<Present> present_fields(const TensorProto& t) {
  std::vector<Present> all;
  const auto add = [&](Field field, size_t entries) {
    if (entries > 0) all.push_back({field, entries});
  };
  add(Field::kRawData, t.raw_data().size());
  add(Field::kFloatData, static_cast<size_t>(t.float_data_size()));
  add(Field::kInt32Data, static_cast<size_t>(t.int32_data_size()));
  add(Field::kInt64Data, static_cast<size_t>(t.int64_data_size()));
  add(Field::kDoubleData, static_cast<size_t>(t.double_data_size()));
  add(Field::kUint64Data, static_cast<size_t>(t.uint64_data_size()));
  return all;
}

/// A payload left in place is the tensor's only one. A message that stands twice in the wire format
/// is merged by protobuf, so that both kinds may meet.
std::string reference_fault(const read::WeightRef& ref, const TensorProto& tensor, uint64_t count) {
  if (!ref.fault.empty()) return ref.fault;
  if (!present_fields(tensor).empty() || tensor.string_data_size() > 0)
    return "data: it stands in more than one field";
  return reference_fault(ref, tensor.data_type(), count);
}

std::string fields_fault(const TensorProto& tensor, uint64_t count) {
  const std::vector<Present> present = present_fields(tensor);
  const int32_t dtype = tensor.data_type();
  if (dtype == TensorProto::STRING) {
    if (!present.empty())
      return std::string("data: expected it in string_data, got ") + field_name(present[0].field);
    const auto got = static_cast<uint64_t>(tensor.string_data_size());
    return got == count ? "" : expected("string_data", std::to_string(count) + " strings", got);
  }
  if (present.size() > 1 || tensor.string_data_size() > 0)
    return "data: it stands in more than one field";
  const Field field = present.empty() ? Field::kRawData : present[0].field;
  const uint64_t got = present.empty() ? 0 : present[0].entries;
  if (field == Field::kRawData) {
    const uint64_t size = packed_size(dtype, count);
    return got == size ? "" : expected("raw_data", std::to_string(size) + " bytes", got);
  }
  if (field != typed_field(dtype)) {
    return std::string("data: expected it in ") + field_name(typed_field(dtype)) + ", got " +
           field_name(field);
  }
  const uint64_t entries = entries_of(dtype, count);
  return got == entries ? ""
                        : expected(field_name(field), std::to_string(entries) + " values", got);
}

}  // namespace

const read::WeightRef* reference(const read::ModelFile& file, const TensorProto& tensor) {
  const int64_t index = read::weight_index(tensor);
  if (index < 0 || static_cast<uint64_t>(index) >= file.weights.size()) return nullptr;
  return &file.weights[static_cast<size_t>(index)];
}

bool is_raw(Field field) {
  return field == Field::kExternal || field == Field::kRawData || field == Field::kFloatData ||
         field == Field::kDoubleData;
}

std::string fault_of(const read::ModelFile& file, const TensorProto& tensor) {
  const int32_t dtype = tensor.data_type();
  if (dtype != TensorProto::STRING && carrier(dtype).empty()) {
    return "data type: expected one of ONNX's, got " + std::to_string(dtype);
  }
  if (tensor.has_segment()) return "data: it is a segment of a tensor, which no ONNX version uses";
  try {
    const uint64_t count = element_count(tensor.dims());
    if (dtype != TensorProto::STRING) packed_size(dtype, count);
    const read::WeightRef* ref = reference(file, tensor);
    return ref ? reference_fault(*ref, tensor, count) : fields_fault(tensor, count);
  } catch (const ConversionError& error) {
    return error.diagnostics[0].what;
  }
}

std::string decode_varints(int32_t dtype, uint64_t count, std::span<const uint8_t> wire) {
  Packer packer(dtype, count);
  uint64_t left = entries_of(dtype, count), value = 0;
  int shift = 0;
  for (const uint8_t byte : wire) {
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    shift += 7;
    if (byte >= 0x80) {
      if (shift > 63) throw ConversionError("", "data: number is longer than 64 bits");
      continue;
    }
    if (left-- == 0) throw ConversionError("", "data: more values than its dims say");
    packer.add(value);
    value = 0;
    shift = 0;
  }
  if (shift != 0) throw ConversionError("", "data: its last value breaks off");
  if (left != 0)
    throw ConversionError("", "data: " + std::to_string(left) + " values fewer than its dims say");
  return packer.take();
}

std::string decode_fields(const TensorProto& tensor, uint64_t count) {
  const auto copy = [](const void* data, size_t size) {
    return std::string(static_cast<const char*>(data), size);
  };
  if (tensor.float_data_size() > 0) {
    return copy(tensor.float_data().data(),
                sizeof(float) * static_cast<size_t>(tensor.float_data_size()));
  }
  if (tensor.double_data_size() > 0) {
    return copy(tensor.double_data().data(),
                sizeof(double) * static_cast<size_t>(tensor.double_data_size()));
  }
  if (tensor.int32_data_size() + tensor.int64_data_size() + tensor.uint64_data_size() == 0)
    return tensor.raw_data();
  Packer packer(tensor.data_type(), count);
  for (const int32_t v : tensor.int32_data()) packer.add(static_cast<uint64_t>(int64_t{v}));
  for (const int64_t v : tensor.int64_data()) packer.add(static_cast<uint64_t>(v));
  for (const uint64_t v : tensor.uint64_data()) packer.add(v);
  return packer.take();
}

std::string clean_bools(std::span<const uint8_t> bytes) {
  if (std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b <= 1; })) return "";
  std::string out(bytes.size(), '\0');
  std::transform(bytes.begin(), bytes.end(), out.begin(),
                 [](uint8_t b) { return static_cast<char>(b != 0); });
  return out;
}

}  // namespace onnx2fx::weights
