// The bytes behind a tensor of the model: where they lie, and, when somebody needs the values, what
// they are.
#ifndef ONNX2FX_CORE_WEIGHTS_WEIGHTS_HPP_
#define ONNX2FX_CORE_WEIGHTS_WEIGHTS_HPP_

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/fx/program.hpp"
#include "core/include/onnx2fx/options.hpp"
#include "core/read/model_file.hpp"

namespace onnx2fx::weights {

/// Torch dtype that carries an ONNX dtype in the module, by torch name; empty: none (STRING,
/// UNDEFINED). int4, int2 -> int8; uint4, uint2 -> uint8 (one element each, unpacked); float4,
/// float6 -> float32 (their value).
std::string carrier(int32_t onnx_dtype);
/// Bytes of n elements in ONNX raw_data packing; throws ConversionError on overflow or an unknown
/// dtype.
uint64_t packed_size(int32_t onnx_dtype, uint64_t n);
/// Bytes of one element of a torch dtype name; throws ConversionError for a name that it does not
/// know.
uint64_t element_size(const std::string& torch_dtype);
/// Product of the dims; throws ConversionError if one is negative or the product overflows.
uint64_t element_count(const google::protobuf::RepeatedField<int64_t>& dims);
/// What is wrong with the tensor itself: dtype, dims, data of the wrong length or in the wrong
/// field; "" if nothing. Opens no file and decodes no varints of payloads left in place.
std::string fault_of(const read::ModelFile& file, const onnx::TensorProto& tensor);

/// Serves external data that is no plain file ("xor:w.bin"). Gets the location as the model says it
/// and the model's folder; null: not its kind, so it is taken as the name of a file.
using External = std::function<std::shared_ptr<read::ByteSource>(const std::string& location,
                                                                 const std::string& directory)>;

class Store {
 public:
  /// roots: folders outside the model's own that external data may resolve into (--weights-root).
  /// The file must outlive the store. Throws ConversionError for a root that is no folder.
  Store(const read::ModelFile& file, Mode mode, std::vector<std::string> roots,
        External external = {});
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// Checks length against dims x dtype and the file's bounds; opens external files, contained in
  /// the model's folder (no absolute path, no "..", no escape through symlinks). An absent file is
  /// no fault in meta mode, nor for floats in random mode. Throws ConversionError.
  void check(const onnx::TensorProto& tensor);

  /// The file, as the model names it, that would hold the tensor's bytes but does not exist;
  /// nullopt: the bytes are there. Throws ConversionError for a location that check() refuses.
  std::optional<std::string> absent_file(const onnx::TensorProto& tensor);

  /// Bytes in ONNX raw_data packing, little-endian. Views the mapping where the payload is raw or a
  /// packed float/double field, else decodes. The span lives as long as the store. Throws
  /// ConversionError when the file is absent ("weight 'w': file 'model.data' is missing").
  std::span<const uint8_t> bytes(const onnx::TensorProto& tensor);
  std::vector<std::string> strings(const onnx::TensorProto& tensor);
  /// The dense form of a sparse tensor in the same packing; values not listed are zero. STRING is
  /// refused.
  std::string dense(const onnx::SparseTensorProto& tensor);

  /// For the module: a FileRange into sources() where the stored bytes are the carrier's own (raw,
  /// same dtype), else unpacked bytes in memory. none in meta mode. In random mode floats are drawn
  /// anew (random_values.hpp); other tensors, tables and indices, are the model's own.
  fx::TensorData data(const onnx::TensorProto& tensor);
  /// Files that data() has pointed into so far. A path that is empty is the model itself, given in
  /// memory.
  const std::vector<fx::Source>& sources() const;
  /// A source itself: for writers, which copy out of its descriptor. Throws ConversionError if the
  /// file has changed since it was mapped.
  const read::ByteSource& source(uint32_t source) const;
  /// The mapping of a source: for the runtime. Throws as source() does.
  std::span<const uint8_t> source_bytes(uint32_t source);

 private:
  std::vector<uint64_t> sparse_places(const onnx::SparseTensorProto& sparse, uint64_t count);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// ONNX packing -> one element after the other in the carrier's dtype (int4 -> int8, float4 ->
/// float32; others as they are).
std::string unpack(int32_t onnx_dtype, std::span<const uint8_t> packed, uint64_t n);

}  // namespace onnx2fx::weights

#endif
