#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <unordered_set>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/weights/checksum.hpp"
#include "core/weights/external_file.hpp"
#include "core/weights/payload.hpp"
#include "core/weights/random_values.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::weights {
namespace {

using onnx::TensorProto;
using Bytes = std::span<const uint8_t>;

/// Of a tensor that is filled in memory from a few words of the file.
constexpr uint64_t kMaxDense = uint64_t{4} << 30;

Bytes as_bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

struct Store::Impl {
  const read::ModelFile& file;
  Mode mode;
  Folders folders;
  External external;
  std::map<std::string, std::shared_ptr<read::ByteSource>> opened;  ///< by location; null: absent
  std::vector<fx::Source> sources;
  std::vector<std::shared_ptr<read::ByteSource>> source_bytes;
  std::map<const read::ByteSource*, uint32_t> source_index;
  std::map<const read::WeightRef*, std::string>
      decoded;                           ///< payloads left in place that are not raw
  std::unordered_set<std::string> kept;  ///< payloads that came with the proto
  std::map<const read::ByteSource*, std::string> checksums;  ///< of files, where one was asked for

  std::string where(const TensorProto& tensor) const {
    return file.name + ": " +
           (tensor.name().empty() ? std::string("tensor without a name")
                                  : "weight '" + tensor.name() + "'");
  }

  /// Runs `f`; faults without a place get the tensor's.
  template <class F>
  auto at(const TensorProto& tensor, F&& f) const {
    try {
      return f();
    } catch (const ConversionError& error) {
      std::vector<Diagnostic> all = error.diagnostics;
      for (Diagnostic& d : all) {
        if (d.where.empty()) d.where = where(tensor);
      }
      throw ConversionError(all);
    }
  }

  void check_tensor(const TensorProto& tensor) const {
    const std::string fault = fault_of(file, tensor);
    if (!fault.empty()) throw ConversionError(where(tensor), fault);
  }

  /// Null: absent.
  std::shared_ptr<read::ByteSource> open(const std::string& location, const std::string& where) {
    if (const auto found = opened.find(location); found != opened.end()) return found->second;
    std::shared_ptr<read::ByteSource> bytes =
        external ? external(location, folders.model) : nullptr;
    if (!bytes) {
      const std::string fault = location_fault(location);
      if (!fault.empty())
        throw ConversionError(where, "external data " + quoted(location) + ": " + fault);
      if (!folders.model.empty()) bytes = open_external(location, folders, where);
    }
    opened.emplace(location, bytes);
    return bytes;
  }

  void check_checksum(const std::shared_ptr<read::ByteSource>& source, const read::WeightRef& ref,
                      const std::string& where) {
    std::string& got = checksums[source.get()];
    if (got.empty()) got = sha1(*source);
    if (got != ref.checksum)
      throw ConversionError(
          where,
          "file " + quoted(ref.location) + ": checksum: expected " + ref.checksum + ", got " + got,
          {"the file is not the one that the model was saved with"});
  }

  struct Range {
    std::shared_ptr<read::ByteSource> source;  ///< null: the file is absent
    uint64_t offset = 0, length = 0;
  };

  Range locate(const read::WeightRef& ref, const TensorProto& tensor) {
    if (ref.field != read::Field::kExternal) return {file.bytes, ref.offset, ref.length};
    const std::string where = this->where(tensor);
    std::shared_ptr<read::ByteSource> source = open(ref.location, where);
    const uint64_t length = packed_size(tensor.data_type(), element_count(tensor.dims()));
    if (source && !ref.checksum.empty()) check_checksum(source, ref, where);
    if (source && (ref.offset > source->size || length > source->size - ref.offset)) {
      throw ConversionError(where, "file " + quoted(ref.location) + ": expected " +
                                       std::to_string(length) + " bytes at offset " +
                                       std::to_string(ref.offset) + ", got a file of " +
                                       std::to_string(source->size) + " bytes");
    }
    return {source, ref.offset, length};
  }

  [[noreturn]] void missing(const read::WeightRef& ref, const TensorProto& tensor) const {
    const char* remedy = folders.model.empty()
                             ? "the model came without a folder: name the one that holds its data"
                             : "put the file beside the model, or convert with --weights meta";
    throw ConversionError(where(tensor), "file " + quoted(ref.location) + " is missing", {remedy});
  }

  Bytes bytes(const TensorProto& tensor) {
    check_tensor(tensor);
    if (tensor.data_type() == TensorProto::STRING)
      throw ConversionError("", "strings have no bytes");
    const uint64_t count = element_count(tensor.dims());
    const read::WeightRef* ref = reference(file, tensor);
    if (!ref) return clean(tensor, as_bytes(*kept.insert(decode_fields(tensor, count)).first));
    if (const auto found = decoded.find(ref); found != decoded.end())
      return as_bytes(found->second);
    const Range range = locate(*ref, tensor);
    if (!range.source) missing(*ref, tensor);
    range.source->check_unchanged();
    const Bytes stored{range.source->data + range.offset, range.length};
    if (is_raw(ref->field)) return clean(tensor, stored);
    return as_bytes(
        decoded.emplace(ref, decode_varints(tensor.data_type(), count, stored)).first->second);
  }

  Bytes clean(const TensorProto& tensor, Bytes bytes) {
    if (tensor.data_type() != TensorProto::BOOL) return bytes;
    const std::string copy = clean_bools(bytes);
    return copy.empty() ? bytes : as_bytes(*kept.insert(copy).first);
  }

  /// Stored as its carrier is, so that the module can point into the file.
  bool in_place(const TensorProto& tensor, const read::WeightRef& ref) const {
    if (!is_raw(ref.field)) return false;
    return packed_size(tensor.data_type(), 8) == 8 * element_size(carrier(tensor.data_type()));
  }

  fx::TensorData data(const TensorProto& tensor) {
    if (mode == Mode::kMeta) return {};
    if (mode == Mode::kRandom && is_random(tensor.data_type())) {
      check_tensor(tensor);
      return {std::make_shared<const std::string>(random_values(tensor))};
    }
    const read::WeightRef* ref = reference(file, tensor);
    const Bytes packed = bytes(tensor);
    if (ref && in_place(tensor, *ref)) {
      const Range range = locate(*ref, tensor);
      if (packed.data() == range.source->data + range.offset) {
        return {fx::FileRange{index_of(range.source), range.offset, range.length}};
      }
    }
    return {std::make_shared<const std::string>(
        unpack(tensor.data_type(), packed, element_count(tensor.dims())))};
  }

  uint32_t index_of(const std::shared_ptr<read::ByteSource>& source) {
    const auto [at, added] =
        source_index.emplace(source.get(), static_cast<uint32_t>(sources.size()));
    if (added) {
      sources.push_back({source->path, source->size, source->mtime_ns});
      source_bytes.push_back(source);
    }
    return at->second;
  }
};

Store::Store(const read::ModelFile& file, Mode mode, std::vector<std::string> roots,
             External external)
    : impl_(new Impl{file,
                     mode,
                     {file.directory, std::move(roots)},
                     std::move(external),
                     {},
                     {},
                     {},
                     {},
                     {},
                     {},
                     {}}) {
  check_roots(impl_->folders.roots);
}
Store::~Store() = default;

void Store::check(const TensorProto& tensor) {
  impl_->check_tensor(tensor);
  const read::WeightRef* ref = reference(impl_->file, tensor);
  if (!ref || ref->field != read::Field::kExternal) return;
  const bool present = impl_->locate(*ref, tensor).source != nullptr;
  const bool needed = impl_->mode == Mode::kReference || impl_->mode == Mode::kCopy ||
                      (impl_->mode == Mode::kRandom && !is_random(tensor.data_type()));
  if (!present && needed) impl_->missing(*ref, tensor);
}

std::optional<std::string> Store::absent_file(const TensorProto& tensor) {
  const read::WeightRef* ref = reference(impl_->file, tensor);
  if (!ref || ref->field != read::Field::kExternal) return {};
  if (impl_->open(ref->location, impl_->where(tensor))) return {};
  return ref->location;
}

Bytes Store::bytes(const TensorProto& tensor) {
  return impl_->at(tensor, [&] { return impl_->bytes(tensor); });
}

std::vector<std::string> Store::strings(const TensorProto& tensor) {
  impl_->check_tensor(tensor);
  if (tensor.data_type() != TensorProto::STRING) {
    throw ConversionError(impl_->where(tensor),
                          "data type: expected STRING, got " + carrier(tensor.data_type()));
  }
  return {tensor.string_data().begin(), tensor.string_data().end()};
}

std::string Store::dense(const onnx::SparseTensorProto& sparse) {
  const TensorProto& values = sparse.values();
  return impl_->at(values, [&] {
    const uint64_t count = element_count(sparse.dims());
    const uint64_t size = packed_size(values.data_type(), 1);
    if (carrier(values.data_type()).empty() || packed_size(values.data_type(), 8) != 8 * size) {
      throw ConversionError("", "sparse tensor of this data type is not supported");
    }
    if (packed_size(values.data_type(), count) > kMaxDense) {
      throw ConversionError("", "sparse tensor is too large to be made dense");
    }
    const Bytes given = impl_->bytes(values);
    const std::vector<uint64_t> places = sparse_places(sparse, count);
    std::string out(count * size, '\0');
    for (size_t i = 0; i < places.size(); ++i)
      std::memcpy(&out[places[i] * size], &given[i * size], size);
    return out;
  });
}

/// Index of each value in C order.
std::vector<uint64_t> Store::sparse_places(const onnx::SparseTensorProto& sparse, uint64_t count) {
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
  const Bytes bytes = impl_->bytes(indices);
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

fx::TensorData Store::data(const TensorProto& tensor) {
  return impl_->at(tensor, [&] { return impl_->data(tensor); });
}

const std::vector<fx::Source>& Store::sources() const { return impl_->sources; }

const read::ByteSource& Store::source(uint32_t source) const {
  const read::ByteSource& bytes = *impl_->source_bytes.at(source);
  bytes.check_unchanged();
  return bytes;
}

Bytes Store::source_bytes(uint32_t source) {
  const read::ByteSource& bytes = this->source(source);
  return {bytes.data, bytes.size};
}

}  // namespace onnx2fx::weights
