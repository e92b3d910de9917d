// A matrix as a source holds it, to the model's layout.
#ifndef ONNX2FX_CORE_WEIGHTS_TRANSPOSE_HPP_
#define ONNX2FX_CORE_WEIGHTS_TRANSPOSE_HPP_

#include <cstdint>
#include <span>
#include <string>

namespace onnx2fx::weights {

/// [rows, columns] -> [columns, rows], elements of `size` bytes.
std::string transposed(std::span<const uint8_t> matrix, uint64_t rows, uint64_t columns,
                       uint64_t size);

}  // namespace onnx2fx::weights

#endif
