// Walks an ONNX model in protobuf's wire format and copies all of it but big tensor payloads.
#ifndef ONNX2FX_CORE_READ_SKIM_HPP_
#define ONNX2FX_CORE_READ_SKIM_HPP_

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/read/model_file.hpp"

namespace onnx2fx::read {

struct SkimOptions {
  uint64_t keep = 1024;  ///< payloads up to this many bytes are copied too
  int max_depth = 64;    ///< of nested messages; protobuf itself stops at 100
  uint64_t max_skeleton = uint64_t{1} << 30;
  bool drop_pages = false;  ///< release pages behind the walk; the bytes must be a file mapping
  Progress progress;
};

/// The bytes are no model. what() says at which byte.
class WireError : public std::runtime_error {
 public:
  WireError(const std::string& what, bool truncated)
      : std::runtime_error(what), truncated(truncated) {}
  bool truncated;  ///< all is well up to the end, which comes too early
};

/// What is left of the model, in wire format, with `weights` for what was not copied. Throws
/// WireError.
std::string skim(std::span<const uint8_t> model, const SkimOptions& options,
                 std::vector<WeightRef>& weights);

}  // namespace onnx2fx::read

#endif
