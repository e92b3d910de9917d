// weights.safetensors: the tensors of a module that a package holds itself.
#ifndef ONNX2FX_CORE_WRITE_SAFETENSORS_HPP_
#define ONNX2FX_CORE_WRITE_SAFETENSORS_HPP_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

#include "core/fx/program.hpp"
#include "core/write/graph_json.hpp"

namespace onnx2fx::write {

/// The bytes of a tensor; valid until the next call.
using Bytes = std::function<std::span<const uint8_t>(const fx::TensorData&)>;

/// Writes the tensors that are_copied to `file`, one after the other; makes no file when there are
/// none. Throws ConversionError: a tensor has other than shape x element size bytes, or the file
/// cannot be written.
void write_safetensors(const fx::Module& module, Weights weights, const Bytes& bytes,
                       const std::filesystem::path& file);

}  // namespace onnx2fx::write

#endif
