#include <map>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/weights/model_values.hpp"
#include "core/weights/payload.hpp"
#include "core/weights/supply.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::weights {
namespace {

using onnx::TensorProto;
using Bytes = std::span<const uint8_t>;

/// Stored as its carrier is, so that the module can point into a file.
bool is_whole(int32_t dtype) { return packed_size(dtype, 8) == 8 * element_size(carrier(dtype)); }

}  // namespace

struct Store::Impl {
  const read::ModelFile& file;
  ModelValues own;
  Supply supply;
  std::vector<fx::Source> sources;
  std::vector<std::shared_ptr<read::ByteSource>> source_bytes;
  std::map<const read::ByteSource*, uint32_t> source_index;
  std::map<const TensorProto*, Supplied> supplied;  ///< values that sources gave

  Impl(const read::ModelFile& f, std::vector<std::string> roots, Sourcing sourcing)
      : file(f),
        own(f, std::move(roots)),
        supply(std::move(sourcing), f, own.folders().roots,
               [this](const std::string& location) { return own.open(location); }) {}

  std::string where(const std::string& name) const {
    return file.name + ": " +
           (name.empty() ? std::string("tensor without a name") : "weight '" + name + "'");
  }

  /// Runs `f`; faults without a place get the tensor's.
  template <class F>
  auto at(const std::string& name, F&& f) {
    const auto placed = [&](std::vector<Diagnostic> all) {
      for (Diagnostic& d : all) {
        if (d.where.empty()) d.where = where(name);
      }
      return all;
    };
    own.set_place(where(name));
    try {
      return f();
    } catch (const PluginError& error) {
      throw PluginError(placed(error.diagnostics));
    } catch (const ConversionError& error) {
      throw ConversionError(placed(error.diagnostics));
    }
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
    if (!found) found = at_location(wanted);
    if (found) supplied.emplace(&tensor, *found);
    return found;
  }

  std::optional<Supplied> at_location(const Want& wanted) {
    if (!wanted.ref || !wanted.ref->is_served) return std::nullopt;
    const Served served = supply.served(wanted.ref->location);
    const std::shared_ptr<read::ByteSource> file = own.open(served.location);
    if (!file) own.missing(*wanted.ref);
    own.check_checksum(*wanted.ref, *file);
    return supply.by_location(served, file, wanted);
  }

  std::optional<std::string> absent_file(const TensorProto& tensor, const std::string& name) {
    const read::WeightRef* ref = reference(file, tensor);
    if (!ref || ref->field != read::Field::kExternal) return std::nullopt;
    if (own.open(ref->is_served ? supply.served(ref->location).location : ref->location))
      return std::nullopt;
    if (!ref->is_served && supply.values_by_rule(name, want(tensor, name, ref), where(name)))
      return std::nullopt;
    return ref->location;
  }

  static Bytes bytes_of(const Supplied& supplied, uint64_t size) {
    if (supplied.memory)
      return {reinterpret_cast<const uint8_t*>(supplied.memory->data()), supplied.memory->size()};
    supplied.file->check_unchanged();
    return {supplied.file->data + supplied.offset, size};
  }

  Bytes bytes(const TensorProto& tensor, const std::string& name) {
    own.require_bytes(tensor);
    const std::optional<Supplied> found = values(tensor, name);
    if (!found || (!found->file && !found->memory)) return own.bytes(tensor);
    const uint64_t size = packed_size(tensor.data_type(), element_count(tensor.dims()));
    return own.clean(tensor, bytes_of(*found, size));
  }

  fx::TensorData data(const TensorProto& tensor, const std::string& name, Rest rest) {
    own.require_bytes(tensor);
    const Want wanted = want(tensor, name, reference(file, tensor));
    std::optional<Supplied> found =
        supply.by_rule(name, wanted, where(name), rest == Rest::kByLastRule);
    if (!found && rest == Rest::kCopied) return copied(tensor, name);
    if (!found) found = at_location(wanted);
    return found ? module_data(tensor, *found) : own_data(tensor);
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
    const Bytes packed = own.clean(tensor, stored);
    if (is_whole(dtype) && packed.data() == stored.data()) {
      if (found.memory) return {found.memory};
      return {fx::FileRange{index_of(found.file), found.offset, stored.size()}};
    }
    return {std::make_shared<const std::string>(unpack(dtype, packed, count))};
  }

  fx::TensorData own_data(const TensorProto& tensor) {
    const Bytes packed = own.bytes(tensor);
    if (is_whole(tensor.data_type())) {
      const auto range = own.range(tensor);
      if (range && packed.data() == range->source->data + range->offset)
        return {fx::FileRange{index_of(range->source), range->offset, range->length}};
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

Store::Store(const read::ModelFile& file, const std::vector<std::string>& roots, Sourcing sourcing)
    : impl_(std::make_unique<Impl>(file, absolute_roots(roots), std::move(sourcing))) {}
Store::~Store() = default;

std::optional<std::string> Store::absent_file(const TensorProto& tensor, const std::string& name) {
  return impl_->at(name, [&] { return impl_->absent_file(tensor, name); });
}

Bytes Store::bytes(const TensorProto& tensor) { return bytes(tensor, tensor.name()); }

Bytes Store::bytes(const TensorProto& tensor, const std::string& name) {
  return impl_->at(name, [&] { return impl_->bytes(tensor, name); });
}

std::vector<std::string> Store::strings(const TensorProto& tensor) {
  return impl_->at(tensor.name(), [&] { return impl_->own.strings(tensor); });
}

std::string Store::dense(const onnx::SparseTensorProto& sparse) {
  return impl_->at(sparse.values().name(), [&] { return impl_->own.dense(sparse); });
}

fx::TensorData Store::data(const TensorProto& tensor) { return data(tensor, tensor.name()); }

fx::TensorData Store::data(const TensorProto& tensor, const std::string& name, Rest rest) {
  return impl_->at(name, [&] { return impl_->data(tensor, name, rest); });
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
