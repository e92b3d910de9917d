// Reads an ONNX model without its weights: the wire bytes are walked over a mapping, tensor
// payloads above a threshold stay where they lie (WeightRef), the small remainder is parsed by
// protobuf.
#ifndef ONNX2FX_CORE_READ_MODEL_FILE_HPP_
#define ONNX2FX_CORE_READ_MODEL_FILE_HPP_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace onnx2fx::read {

/// TensorProto field that holds a payload; says how its bytes are to be understood.
enum class Field : uint8_t {
  kExternal = 0,
  kFloatData = 4,
  kInt32Data = 5,
  kInt64Data = 7,
  kRawData = 9,
  kDoubleData = 10,
  kUint64Data = 11
};

/// A payload left in place.
struct WeightRef {
  Field field = Field::kRawData;
  uint64_t offset = 0,
           length = 0;  ///< in the model's own bytes; external: in the file, as the model says
  bool has_offset = false, has_length = false;  ///< external: which of them was given
  /// External: a plugin's source reads the location, and offset and length are in its own terms.
  bool is_served = false;
  std::string location;  ///< external only: as written, not validated
  std::string checksum;  ///< external only: SHA-1 of the file, lower-case digits; "": none given
  std::string fault;     ///< why the tensor cannot have this payload; "" if nothing is wrong
};

/// A read-only mapping of a file, or bytes in memory. A file that is replaced by another one stays
/// mapped as it was. One that is rewritten in place is found by check_unchanged(); if it is cut
/// short between that check and a read, the read fails with SIGBUS.
class ByteSource {
 public:
  ByteSource() = default;
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  /// Throws ConversionError if the bytes are no longer those that were mapped.
  virtual void check_unchanged() const {}

  const uint8_t* data = nullptr;
  uint64_t size = 0;
  std::string path;      ///< empty: memory
  int fd = -1;           ///< of the mapped file itself, whatever lies at `path` by now
  int64_t mtime_ns = 0;  ///< time of the file's last change when it was mapped
};

struct ModelFile {
  onnx::ModelProto model;  ///< a stripped tensor says external_data{location: "#<index>"}; no other
                           ///< external_data is left
  std::vector<WeightRef> weights;
  std::shared_ptr<ByteSource> bytes;
  std::string name;       ///< for messages: the path as given, or "<memory>"
  std::string directory;  ///< of external data, absolute; empty: none may be resolved
};

/// Called now and then while a model is walked: bytes done, bytes in all.
using Progress = std::function<void(uint64_t, uint64_t)>;

/// Throws ConversionError: cannot open, empty, not protobuf, truncated ("... at byte N"), nested
/// too deeply.
ModelFile read_file(const std::string& path, const Progress& progress = {});
/// `bytes` is kept alive by the result. directory: where external data is looked for.
ModelFile read_bytes(std::shared_ptr<const std::string> bytes, std::string name,
                     const std::string& directory, const Progress& progress = {});

/// Index into ModelFile::weights, or -1 if the tensor carries its own data.
int64_t weight_index(const onnx::TensorProto& tensor);

}  // namespace onnx2fx::read

#endif
