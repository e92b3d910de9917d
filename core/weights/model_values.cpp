#include "core/weights/model_values.hpp"

#include <algorithm>
#include <cstring>
#include <functional>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/weights/checksum.hpp"
#include "core/weights/payload.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::weights {
namespace {

using onnx::TensorProto;
using Bytes = ModelValues::Bytes;

/// Of a tensor that is filled in memory from a few words of the file.
constexpr uint64_t kMaxDense = uint64_t{4} << 30;

Bytes as_bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

std::shared_ptr<read::ByteSource> ModelValues::open(const std::string& location) {
  if (const auto found = opened_.find(location); found != opened_.end()) return found->second;
  const std::string fault = location_fault(location);
  if (!fault.empty()) throw ConversionError("", "external data " + quoted(location) + ": " + fault);
  std::shared_ptr<read::ByteSource> bytes;
  if (!folders_.model.empty()) bytes = open_external(location, folders_, place_);
  opened_.emplace(location, bytes);
  return bytes;
}

void ModelValues::require_bytes(const TensorProto& tensor) const {
  const std::string fault = fault_of(file_, tensor);
  if (!fault.empty()) throw ConversionError("", fault);
  if (tensor.data_type() == TensorProto::STRING) throw ConversionError("", "strings have no bytes");
}

Bytes ModelValues::bytes(const TensorProto& tensor) {
  const uint64_t count = element_count(tensor.dims());
  const read::WeightRef* ref = reference(file_, tensor);
  if (!ref) return clean(tensor, as_bytes(*kept_.insert(decode_fields(tensor, count)).first));
  if (const auto found = decoded_.find(ref); found != decoded_.end())
    return as_bytes(found->second);
  const Range range = locate(*ref, tensor);
  if (!range.source) missing(*ref);
  range.source->check_unchanged();
  const Bytes stored{range.source->data + range.offset, range.length};
  if (is_raw(ref->field)) return clean(tensor, stored);
  return as_bytes(
      decoded_.emplace(ref, decode_varints(tensor.data_type(), count, stored)).first->second);
}

Bytes ModelValues::clean(const TensorProto& tensor, Bytes bytes) {
  if (tensor.data_type() != TensorProto::BOOL) return bytes;
  const std::string copy = clean_bools(bytes);
  return copy.empty() ? bytes : as_bytes(*kept_.insert(copy).first);
}

std::vector<std::string> ModelValues::strings(const TensorProto& tensor) const {
  const std::string fault = fault_of(file_, tensor);
  if (!fault.empty()) throw ConversionError("", fault);
  if (tensor.data_type() != TensorProto::STRING)
    throw ConversionError("", "data type: expected STRING, got " + carrier(tensor.data_type()));
  return {tensor.string_data().begin(), tensor.string_data().end()};
}

std::optional<ModelValues::Range> ModelValues::range(const TensorProto& tensor) {
  const read::WeightRef* ref = reference(file_, tensor);
  if (!ref || !is_raw(ref->field)) return std::nullopt;
  return locate(*ref, tensor);
}

ModelValues::Range ModelValues::locate(const read::WeightRef& ref, const TensorProto& tensor) {
  if (ref.field != read::Field::kExternal) return {file_.bytes, ref.offset, ref.length};
  std::shared_ptr<read::ByteSource> source = open(ref.location);
  const uint64_t length = packed_size(tensor.data_type(), element_count(tensor.dims()));
  if (source) check_checksum(ref, *source);
  if (source && (ref.offset > source->size || length > source->size - ref.offset))
    throw ConversionError("", "file " + quoted(ref.location) + ": expected " +
                                  std::to_string(length) + " bytes at offset " +
                                  std::to_string(ref.offset) + ", got a file of " +
                                  std::to_string(source->size) + " bytes");
  return {source, ref.offset, length};
}

void ModelValues::check_checksum(const read::WeightRef& ref, const read::ByteSource& source) {
  if (ref.checksum.empty()) return;
  std::string& got = checksums_[&source];
  if (got.empty()) got = sha1(source);
  if (got != ref.checksum)
    throw ConversionError(
        "",
        "file " + quoted(ref.location) + ": checksum: expected " + ref.checksum + ", got " + got,
        {"the file is not the one that the model was saved with"});
}

void ModelValues::missing(const read::WeightRef& ref) const {
  const char* remedy = folders_.model.empty()
                           ? "the model came without a folder: name the one that holds its data"
                           : "put the file beside the model, or convert with --weights meta";
  std::vector<std::string> notes = {remedy};
  if (const size_t colon = ref.location.find(':'); colon != std::string::npos && colon > 1)
    notes.push_back("or is " + quoted(ref.location.substr(0, colon)) +
                    " the scheme of a plugin? give it with --plugin-dir");
  throw ConversionError("", "file " + quoted(ref.location) + " is missing", std::move(notes));
}

std::string ModelValues::dense(const onnx::SparseTensorProto& sparse) {
  const TensorProto& values = sparse.values();
  const uint64_t count = element_count(sparse.dims());
  const uint64_t size = packed_size(values.data_type(), 1);
  if (carrier(values.data_type()).empty() || packed_size(values.data_type(), 8) != 8 * size)
    throw ConversionError("", "sparse tensor of this data type is not supported");
  if (packed_size(values.data_type(), count) > kMaxDense)
    throw ConversionError("", "sparse tensor is too large to be made dense");
  require_bytes(values);
  const Bytes given = bytes(values);
  const std::vector<uint64_t> places = sparse_places(sparse, count);
  std::string out(count * size, '\0');
  for (size_t i = 0; i < places.size(); ++i)
    std::memcpy(&out[places[i] * size], &given[i * size], size);
  return out;
}

/// Index of each value in C order.
std::vector<uint64_t> ModelValues::sparse_places(const onnx::SparseTensorProto& sparse,
                                                 uint64_t count) {
  const TensorProto& indices = sparse.indices();
  const uint64_t n = element_count(sparse.values().dims());
  const auto rank = static_cast<uint64_t>(sparse.dims_size());
  const bool linear = indices.dims_size() == 1;
  const uint64_t wanted = linear ? n : n * rank;
  if (sparse.values().dims_size() != 1 || (!linear && indices.dims_size() != 2) ||
      indices.data_type() != TensorProto::INT64 || element_count(indices.dims()) != wanted) {
    throw ConversionError("", "sparse tensor: indices: expected int64[" + std::to_string(n) +
                                  "] or int64[" + std::to_string(n) + ", " + std::to_string(rank) +
                                  "]");
  }
  require_bytes(indices);
  const Bytes bytes = this->bytes(indices);
  std::vector<uint64_t> places(n, 0);
  for (uint64_t i = 0; i < wanted; ++i) {
    int64_t index = 0;
    std::memcpy(&index, &bytes[i * sizeof index], sizeof index);
    const uint64_t limit =
        linear ? count : static_cast<uint64_t>(sparse.dims(static_cast<int>(i % rank)));
    if (index < 0 || static_cast<uint64_t>(index) >= limit) {
      throw ConversionError("", "sparse tensor: indices: expected less than " +
                                    std::to_string(limit) + ", got " + std::to_string(index));
    }
    uint64_t& place = places[linear ? i : i / rank];
    place = linear ? static_cast<uint64_t>(index) : place * limit + static_cast<uint64_t>(index);
  }
  if (std::adjacent_find(places.begin(), places.end(), std::greater_equal<>()) != places.end())
    throw ConversionError("",
                          "sparse tensor: indices: expected ascending ones, without duplicates");
  return places;
}

}  // namespace onnx2fx::weights
