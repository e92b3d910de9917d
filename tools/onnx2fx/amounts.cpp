#include "tools/onnx2fx/amounts.hpp"

#include <fmt/format.h>

#include <array>

namespace onnx2fx::cli {

Amount plus(Amount a, Amount b) {
  uint64_t sum = 0;
  if (!a || !b || __builtin_add_overflow(*a, *b, &sum)) return {};
  return sum;
}

Amount times(Amount a, Amount b) {
  uint64_t all = 0;
  if (!a || !b || __builtin_mul_overflow(*a, *b, &all)) return {};
  return all;
}

Amount product(std::span<const int64_t> sizes) {
  Amount all = 1;
  for (const int64_t size : sizes) all = times(all, static_cast<uint64_t>(size));
  return all;
}

std::string sized(uint64_t bytes) {
  static constexpr std::array kUnits = {"kB", "MB", "GB", "TB"};
  if (bytes < 1000) return fmt::format("{} bytes", bytes);
  double size = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  for (; size >= 999.95 && unit + 1 < kUnits.size(); ++unit) size /= 1000;
  return fmt::format("{:.1f} {}", size, kUnits[unit]);
}

std::string grouped(uint64_t n) {
  std::string text = std::to_string(n);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string counted(uint64_t n, const char* what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

std::string grouped(uint64_t n, const char* what) {
  return grouped(n) + " " + what + (n == 1 ? "" : "s");
}

}  // namespace onnx2fx::cli
