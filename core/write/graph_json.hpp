// graph.json: the text form of an fx::Module. FORMAT.md describes it.
#ifndef ONNX2FX_CORE_WRITE_GRAPH_JSON_HPP_
#define ONNX2FX_CORE_WRITE_GRAPH_JSON_HPP_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <onnx2fx/export.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/include/onnx2fx/options.hpp"
#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::write {

/// Where the bytes of tensors are for the reader of graph.json. A package: with kCopy all in
/// weights.safetensors; else file ranges stay where they are, bytes in memory go to
/// weights.safetensors, and what has no bytes the loader puts on meta (kMeta) or fills (kRandom).
/// None: in process, file ranges and buffers handed over (memory_buffers).
using Weights = std::optional<weights::Mode>;

struct GraphOptions {
  Weights weights = weights::Mode::kCopy;
  /// Folder that the package will be in, for relative source paths. Empty: in process, sources have
  /// neither relative path nor time.
  std::filesystem::path folder;
};

/// Same module, same options: same text (but for the times of sources). Throws ConversionError when
/// a source is gone.
ONNX2FX_API std::string graph_json(const fx::Module& module, const GraphOptions& options);

/// What {"memory": I} means in process: buffer I.
ONNX2FX_API std::vector<std::shared_ptr<const std::string>> memory_buffers(
    const fx::Module& module);

/// Whether the tensor's bytes go to weights.safetensors.
bool is_copied(const fx::Tensor& tensor, Weights weights);

}  // namespace onnx2fx::write

#endif
