#include "core/convert/sinusoids.hpp"

#include <cmath>
#include <cstring>

namespace onnx2fx::conversion {
namespace {

class Table {
 public:
  Table(std::span<const uint8_t> bytes, size_t width)
      : bytes_(bytes), width_(width), rows_(bytes.size() / sizeof(float) / width) {}

  /// Pairs that lie `apart` values from each other, the next pair `step` further.
  bool has_pairs(size_t apart, size_t step) const {
    bool turns = false;
    for (size_t row = 0; row < rows_; ++row)
      for (size_t i = 0; i < width_ / 2; ++i) {
        const double a = at(row * width_ + i * step), b = at(row * width_ + i * step + apart);
        if (!(std::abs(a * a + b * b - 1) < 1e-4)) return false;
        turns = turns || std::abs(a * b) > 1e-3;
      }
    return turns;
  }

 private:
  double at(size_t i) const {
    float value;
    std::memcpy(&value, bytes_.data() + i * sizeof value, sizeof value);
    return value;
  }

  std::span<const uint8_t> bytes_;
  size_t width_, rows_;
};

}  // namespace

bool are_sinusoids(std::span<const uint8_t> bytes, const std::vector<int64_t>& dims) {
  if (dims.size() < 2 || dims.back() < 4 || dims.back() % 2 || bytes.empty()) return false;
  const auto width = static_cast<size_t>(dims.back());
  const Table table(bytes, width);
  return table.has_pairs(1, 2) || table.has_pairs(width / 2, 1);
}

}  // namespace onnx2fx::conversion
