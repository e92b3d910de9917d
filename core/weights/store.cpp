#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <unordered_set>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/weights/checksum.hpp"
#include "core/weights/external_file.hpp"
#include "core/weights/payload.hpp"
#include "core/weights/supply.hpp"
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

/// Stored as its carrier is, so that the module can point into a file.
bool is_whole(int32_t dtype) { return packed_size(dtype, 8) == 8 * element_size(carrier(dtype)); }

}  // namespace

struct Store::Impl {
  const read::ModelFile& file;
  Mode mode;
  Folders folders;
  Supply supply;
  std::string place;  ///< of the tensor at hand, for messages
  std::map<std::string, std::shared_ptr<read::ByteSource>> opened;  ///< by location; null: absent
  std::vector<fx::Source> sources;
  std::vector<std::shared_ptr<read::ByteSource>> source_bytes;
  std::map<const read::ByteSource*, uint32_t> source_index;
  std::map<const read::WeightRef*, std::string>
      decoded;                                      ///< payloads left in place that are not raw
  std::unordered_set<std::string> kept;             ///< payloads that came with the proto
  std::map<const TensorProto*, Supplied> supplied;  ///< values that sources gave
  std::map<const read::ByteSource*, std::string> checksums;  ///< of files, where one was asked for

  Impl(const read::ModelFile& f, Mode m, std::vector<std::string> roots, Sourcing sourcing)
      : file(f),
        mode(m),
        folders{f.directory, std::move(roots)},
        supply(std::move(sourcing), f, folders.roots,
               [this](const std::string& location) { return open(location, place); }) {}

  std::string where(const std::string& name) const {
    return file.name + ": " +
           (name.empty() ? std::string("tensor without a name") : "weight '" + name + "'");
  }
  std::string where(const TensorProto& tensor) const { return where(tensor.name()); }

  /// Runs `f`; faults without a place get the tensor's.
  template <class F>
  auto at(const std::string& name, F&& f) {
    const auto placed = [&](std::vector<Diagnostic> all) {
      for (Diagnostic& d : all) {
        if (d.where.empty()) d.where = where(name);
      }
      return all;
    };
    place = where(name);
    try {
      return f();
    } catch (const PluginError& error) {
      throw PluginError(placed(error.diagnostics));
    } catch (const ConversionError& error) {
      throw ConversionError(placed(error.diagnostics));
    }
  }

  void check_tensor(const TensorProto& tensor) const {
    const std::string fault = fault_of(file, tensor);
    if (!fault.empty()) throw ConversionError(where(tensor), fault);
  }

  /// Null: absent.
  std::shared_ptr<read::ByteSource> open(const std::string& location, const std::string& where) {
    if (const auto found = opened.find(location); found != opened.end()) return found->second;
    const std::string fault = location_fault(location);
    if (!fault.empty())
      throw ConversionError(where, "external data " + quoted(location) + ": " + fault);
    std::shared_ptr<read::ByteSource> bytes;
    if (!folders.model.empty()) bytes = open_external(location, folders, where);
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
    std::vector<std::string> notes = {remedy};
    if (const size_t colon = ref.location.find(':'); colon != std::string::npos && colon > 1)
      notes.push_back("or is " + quoted(ref.location.substr(0, colon)) +
                      " the scheme of a plugin? give it with --plugin-dir");
    throw ConversionError(where(tensor), "file " + quoted(ref.location) + " is missing",
                          std::move(notes));
  }

  static Want want(const TensorProto& tensor, const std::string& name, const read::WeightRef* ref) {
    return {name,
            tensor.data_type(),
            {tensor.dims().begin(), tensor.dims().end()},
            packed_size(tensor.data_type(), element_count(tensor.dims())),
            ref};
  }

  /// The values that a rule's file or a served location of the model gives; nullopt: they are the
  /// model's own.
  std::optional<Supplied> values(const TensorProto& tensor, const std::string& name) {
    if (const auto found = supplied.find(&tensor); found != supplied.end()) return found->second;
    const Want wanted = want(tensor, name, reference(file, tensor));
    std::optional<Supplied> found = supply.values_by_rule(name, wanted, where(name));
    if (!found) found = at_location(tensor, wanted);
    if (found) supplied.emplace(&tensor, *found);
    return found;
  }

  std::optional<Supplied> at_location(const TensorProto& tensor, const Want& wanted) {
    if (!wanted.ref || wanted.ref->field != read::Field::kExternal) return std::nullopt;
    const Served served = supply.served(wanted.ref->location);
    if (served.scheme.empty()) return std::nullopt;
    std::optional<Supplied> found = supply.by_location(served, wanted);
    if (!found) missing(*wanted.ref, tensor);
    return found;
  }

  std::optional<std::string> absent_file(const TensorProto& tensor, const std::string& name) {
    const read::WeightRef* ref = reference(file, tensor);
    if (!ref || ref->field != read::Field::kExternal) return std::nullopt;
    const Served served = supply.served(ref->location);
    if (open(served.location, place)) return std::nullopt;
    const Want wanted = want(tensor, name, ref);
    if (served.scheme.empty() && supply.values_by_rule(name, wanted, place)) return std::nullopt;
    return ref->location;
  }

  static Bytes bytes_of(const Supplied& supplied, uint64_t size) {
    if (supplied.memory) return as_bytes(*supplied.memory);
    supplied.file->check_unchanged();
    return {supplied.file->data + supplied.offset, size};
  }

  void require_bytes(const TensorProto& tensor) const {
    check_tensor(tensor);
    if (tensor.data_type() == TensorProto::STRING)
      throw ConversionError("", "strings have no bytes");
  }

  Bytes bytes(const TensorProto& tensor, const std::string& name) {
    require_bytes(tensor);
    if (supply.has_sources()) {
      const std::optional<Supplied> found = values(tensor, name);
      if (found && (found->file || found->memory)) {
        const uint64_t size = packed_size(tensor.data_type(), element_count(tensor.dims()));
        return clean(tensor, bytes_of(*found, size));
      }
    }
    return own_bytes(tensor);
  }

  /// Those that the model says.
  Bytes own_bytes(const TensorProto& tensor) {
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

  fx::TensorData data(const TensorProto& tensor, const std::string& name, bool stays) {
    const bool weightless = mode == Mode::kMeta && !stays;
    if (weightless && !supply.has_sources()) return {};
    require_bytes(tensor);
    if (!supply.has_sources()) return mode == Mode::kMeta ? copied(tensor, name) : own_data(tensor);
    const read::WeightRef* ref = reference(file, tensor);
    const Want wanted = want(tensor, name, ref);
    std::optional<Supplied> found = supply.by_rule(name, wanted, where(name));
    if (!found && weightless) found = supply.by_scheme("meta", wanted);
    if (!found && mode == Mode::kMeta) return copied(tensor, name);
    if (!found && mode == Mode::kRandom && !stays) found = supply.by_scheme("random", wanted);
    if (!found) found = at_location(tensor, wanted);
    if (found) return module_data(tensor, *found);
    if (!ref || !is_raw(ref->field)) return own_data(tensor);
    const Range range = locate(*ref, tensor);
    if (!range.source) missing(*ref, tensor);
    found = supply.by_scheme("onnx", wanted);
    if (!found) throw ConversionError("", "onnx: expected its bytes, got none");
    return module_data(tensor, *found);
  }

  /// Independent of any file.
  fx::TensorData copied(const TensorProto& tensor, const std::string& name) {
    return {std::make_shared<const std::string>(
        unpack(tensor.data_type(), bytes(tensor, name), element_count(tensor.dims())))};
  }

  fx::TensorData module_data(const TensorProto& tensor, const Supplied& found) {
    if (!found.file && !found.memory) return {};
    const int32_t dtype = tensor.data_type();
    const uint64_t count = element_count(tensor.dims());
    const Bytes stored = bytes_of(found, packed_size(dtype, count));
    const Bytes packed = clean(tensor, stored);
    if (is_whole(dtype) && packed.data() == stored.data()) {
      if (found.memory) return {found.memory};
      return {fx::FileRange{index_of(found.file), found.offset, stored.size()}};
    }
    return {std::make_shared<const std::string>(unpack(dtype, packed, count))};
  }

  /// Without any source: what the model says.
  fx::TensorData own_data(const TensorProto& tensor) {
    const read::WeightRef* ref = reference(file, tensor);
    const Bytes packed = own_bytes(tensor);
    if (ref && is_raw(ref->field) && is_whole(tensor.data_type())) {
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

Store::Store(const read::ModelFile& file, Mode mode, const std::vector<std::string>& roots,
             Sourcing sourcing)
    : impl_(std::make_unique<Impl>(file, mode, absolute_roots(roots), std::move(sourcing))) {}
Store::~Store() = default;

std::optional<std::string> Store::absent_file(const TensorProto& tensor, const std::string& name) {
  return impl_->at(name, [&] { return impl_->absent_file(tensor, name); });
}

Bytes Store::bytes(const TensorProto& tensor) { return bytes(tensor, tensor.name()); }

Bytes Store::bytes(const TensorProto& tensor, const std::string& name) {
  return impl_->at(name, [&] { return impl_->bytes(tensor, name); });
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
  return impl_->at(values.name(), [&] {
    const uint64_t count = element_count(sparse.dims());
    const uint64_t size = packed_size(values.data_type(), 1);
    if (carrier(values.data_type()).empty() || packed_size(values.data_type(), 8) != 8 * size) {
      throw ConversionError("", "sparse tensor of this data type is not supported");
    }
    if (packed_size(values.data_type(), count) > kMaxDense) {
      throw ConversionError("", "sparse tensor is too large to be made dense");
    }
    impl_->require_bytes(values);
    const Bytes given = impl_->own_bytes(values);
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
  impl_->require_bytes(indices);
  const Bytes bytes = impl_->own_bytes(indices);
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

fx::TensorData Store::data(const TensorProto& tensor) { return data(tensor, tensor.name()); }

fx::TensorData Store::data(const TensorProto& tensor, const std::string& name, bool stays) {
  return impl_->at(name, [&] { return impl_->data(tensor, name, stays); });
}

std::vector<Diagnostic> Store::settle() { return impl_->supply.settle(); }

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
