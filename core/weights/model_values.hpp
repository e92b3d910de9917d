// What the model itself says that its tensors hold: found in its own bytes or in files beside it,
// checked, and decoded to ONNX's raw packing.
#ifndef ONNX2FX_CORE_WEIGHTS_MODEL_VALUES_HPP_
#define ONNX2FX_CORE_WEIGHTS_MODEL_VALUES_HPP_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/read/model_file.hpp"
#include "core/weights/external_file.hpp"

namespace onnx2fx::weights {

/// Every function throws ConversionError without a place, unless it says more.
class ModelValues {
 public:
  using Bytes = std::span<const uint8_t>;

  /// The file outlives this. roots: see Folders.
  ModelValues(const read::ModelFile& file, std::vector<std::string> roots)
      : file_(file), folders_{file.directory, std::move(roots)} {}

  const Folders& folders() const { return folders_; }
  /// Of the tensor at hand, for messages about files.
  void set_place(const std::string& place) { place_ = place; }

  /// A file beside the model, opened once; null: there is none.
  std::shared_ptr<read::ByteSource> open(const std::string& location);
  /// Throws unless the tensor is sound (see fault_of) and has bytes: no STRING.
  void require_bytes(const onnx::TensorProto& tensor) const;

  /// In raw packing, little-endian: a view of the mapping where the payload is raw, else decoded.
  /// Lives as long as this. The tensor has passed require_bytes.
  Bytes bytes(const onnx::TensorProto& tensor);
  /// BOOL bytes that are neither 0 nor 1 become 1; others are `bytes` themselves.
  Bytes clean(const onnx::TensorProto& tensor, Bytes bytes);
  /// Of STRING.
  std::vector<std::string> strings(const onnx::TensorProto& tensor) const;
  /// The dense form in the same packing; values that are not listed are zero.
  std::string dense(const onnx::SparseTensorProto& sparse);

  /// Where the payload lies, if it is raw bytes of a file.
  struct Range {
    std::shared_ptr<read::ByteSource> source;  ///< null: the file is absent
    uint64_t offset = 0, length = 0;
  };
  std::optional<Range> range(const onnx::TensorProto& tensor);
  /// The file of external data is not there.
  [[noreturn]] void missing(const read::WeightRef& ref) const;
  /// The checksum that the model states for the file of external data, if it does.
  void check_checksum(const read::WeightRef& ref, const read::ByteSource& source);

 private:
  Range locate(const read::WeightRef& ref, const onnx::TensorProto& tensor);
  std::vector<uint64_t> sparse_places(const onnx::SparseTensorProto& sparse, uint64_t count);

  const read::ModelFile& file_;
  const Folders folders_;
  std::string place_;
  std::map<std::string, std::shared_ptr<read::ByteSource>> opened_;  ///< by location; null: absent
  std::map<const read::WeightRef*, std::string> decoded_;  ///< payloads in place that are not raw
  std::unordered_set<std::string> kept_;                   ///< payloads that came with the proto
  std::map<const read::ByteSource*, std::string> checksums_;
};

}  // namespace onnx2fx::weights

#endif
