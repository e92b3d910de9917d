// The bytes behind a tensor of the model: where they lie, and, when somebody needs the values, what
// they are.
#ifndef ONNX2FX_CORE_WEIGHTS_WEIGHTS_HPP_
#define ONNX2FX_CORE_WEIGHTS_WEIGHTS_HPP_

#include <memory>
#include <onnx2fx/export.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/include/onnx2fx/options.hpp"
#include "core/include/onnx2fx/program.hpp"
#include "core/read/model_file.hpp"
#include "core/weights/source.hpp"

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

class ONNX2FX_API Store {
 public:
  /// roots: folders outside the model's own that external data may resolve into (--weights-root).
  /// sourcing: rules and sources besides the model; without, tensors are read as the model says.
  /// The file must outlive the store. Throws ConversionError for a root that is no folder.
  explicit Store(const read::ModelFile& file, const std::vector<std::string>& roots = {},
                 Sourcing sourcing = {});
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// The file, as the model names it, that would hold the tensor's bytes but does not exist;
  /// nullopt: the bytes are there, or a rule's source has them. name: as for bytes(). Throws
  /// ConversionError for a location that is refused.
  std::optional<std::string> absent_file(const onnx::TensorProto& tensor, const std::string& name);

  /// Bytes in ONNX raw_data packing, little-endian. Views the mapping where the payload is raw or a
  /// packed float/double field, else decodes. The span lives as long as the store. Throws
  /// ConversionError when the file is absent ("weight 'w': file 'model.data' is missing").
  /// name: of the tensor in the module, for rules; else its own. A rule whose source has a file
  /// counts here too, so that what is computed from values at conversion time agrees with the
  /// module; one without a file does not.
  std::span<const uint8_t> bytes(const onnx::TensorProto& tensor);
  std::span<const uint8_t> bytes(const onnx::TensorProto& tensor, const std::string& name);
  std::vector<std::string> strings(const onnx::TensorProto& tensor);
  /// The dense form of a sparse tensor in the same packing; values not listed are zero. STRING is
  /// refused.
  std::string dense(const onnx::SparseTensorProto& tensor);

  /// What becomes of a tensor that no rule of the manifest selects.
  enum class Rest : uint8_t {
    kByLastRule,  ///< the one that --weights adds has its say; without, as kOwn
    kOwn,         ///< what the model says
    kCopied       ///< that, independent of its file
  };
  /// For the module, by the first rule that selects `name`: a FileRange into sources() where the
  /// stored bytes are the carrier's own (raw, same dtype), else unpacked bytes in memory; none from
  /// a source that answers so.
  fx::TensorData data(const onnx::TensorProto& tensor);
  fx::TensorData data(const onnx::TensorProto& tensor, const std::string& name,
                      Rest rest = Rest::kByLastRule);
  /// The end of the conversion; only source_bytes() may follow. Closes the sources. Throws
  /// ConversionError with all that rules ask for and sources lack; returns warnings.
  std::vector<Diagnostic> settle();
  /// Files that data() has pointed into so far. A path that is empty is the model itself, given in
  /// memory.
  const std::vector<fx::Source>& sources() const;
  /// A source itself: for writers, which copy out of its descriptor. Throws ConversionError if the
  /// file has changed since it was mapped.
  const read::ByteSource& source(uint32_t source) const;
  /// The mapping of a source: for the runtime. Throws as source() does.
  std::span<const uint8_t> source_bytes(uint32_t source);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// ONNX packing -> one element after the other in the carrier's dtype (int4 -> int8, float4 ->
/// float32; others as they are).
std::string unpack(int32_t onnx_dtype, std::span<const uint8_t> packed, uint64_t n);

}  // namespace onnx2fx::weights

#endif
