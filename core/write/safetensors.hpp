// weights.safetensors: the tensors of a module that a package holds itself.
#ifndef ONNX2FX_CORE_WRITE_SAFETENSORS_HPP_
#define ONNX2FX_CORE_WRITE_SAFETENSORS_HPP_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <variant>

#include "core/include/onnx2fx/program.hpp"
#include "core/write/graph_json.hpp"
#include "core/write/new_file.hpp"

namespace onnx2fx::write {

/// The bytes of a tensor, in memory or in a file; valid until the next call.
using Stored = std::variant<std::span<const uint8_t>, FileBytes>;
using Bytes = std::function<Stored(const fx::TensorData&)>;

/// Writes the tensors that is_copied names to the new `file`, one after the other, in memory that
/// does not grow with theirs; makes no file when there are none. `where`: the file's name in
/// messages. Throws ConversionError, and leaves no file: a tensor has other than shape x element
/// size bytes, or the file cannot be written.
void write_safetensors(const fx::Module& module, Weights weights, const Bytes& bytes,
                       const std::filesystem::path& file, const std::string& where);

}  // namespace onnx2fx::write

#endif
