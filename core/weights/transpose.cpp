#include "core/weights/transpose.hpp"

#include <algorithm>
#include <cstring>

namespace onnx2fx::weights {

std::string transposed(std::span<const uint8_t> matrix, uint64_t rows, uint64_t columns,
                       uint64_t size) {
  constexpr uint64_t kTile = 32;  // both sides of a tile stay in the first cache
  std::string out(matrix.size(), '\0');
  for (uint64_t i0 = 0; i0 < rows; i0 += kTile)
    for (uint64_t j0 = 0; j0 < columns; j0 += kTile)
      for (uint64_t i = i0; i < std::min(i0 + kTile, rows); ++i)
        for (uint64_t j = j0; j < std::min(j0 + kTile, columns); ++j)
          std::memcpy(&out[(j * rows + i) * size], &matrix[(i * columns + j) * size], size);
  return out;
}

}  // namespace onnx2fx::weights
