#include "core/convert/sinusoids.hpp"

#include <cmath>
#include <cstring>

namespace onnx2fx::conversion {
namespace {

double value(std::span<const uint8_t> bytes, size_t i) {
  float x;
  std::memcpy(&x, bytes.data() + i * sizeof x, sizeof x);
  return x;
}

/// Pairs of which each is a sine and a cosine, and not all of them zeros and ones.
class Turns {
 public:
  /// False: this pair is of no angle.
  bool add(double a, double b) {
    some_ = some_ || std::abs(a * b) > 1e-3;
    return std::abs(a * a + b * b - 1) < 1e-4;
  }
  bool some() const { return some_; }

 private:
  bool some_ = false;
};

/// Pairs that lie `apart` values from each other, the next pair `step` further.
bool has_pairs(std::span<const uint8_t> bytes, size_t width, size_t apart, size_t step) {
  Turns turns;
  for (size_t row = 0; row < bytes.size() / sizeof(float); row += width)
    for (size_t i = row; i < row + width / 2 * step; i += step)
      if (!turns.add(value(bytes, i), value(bytes, i + apart))) return false;
  return turns.some();
}

}  // namespace

bool are_sinusoids(std::span<const uint8_t> bytes, const std::vector<int64_t>& dims) {
  if (dims.size() < 2 || dims.back() < 4 || dims.back() % 2 || bytes.empty()) return false;
  const auto width = static_cast<size_t>(dims.back());
  return has_pairs(bytes, width, 1, 2) || has_pairs(bytes, width, width / 2, 1);
}

bool are_sines_and_cosines(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  if (a.size() != b.size()) return false;
  Turns turns;
  for (size_t i = 0; i < a.size() / sizeof(float); i++)
    if (!turns.add(value(a, i), value(b, i))) return false;
  return turns.some();
}

}  // namespace onnx2fx::conversion
