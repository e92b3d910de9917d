#include "plugins/weights/distributions.hpp"

#include <cmath>
#include <numbers>

namespace onnx2fx::sources {
namespace {

constexpr uint64_t kStep = 0x9e3779b97f4a7c15;

uint64_t mixed(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Generator::Generator(std::string_view name, uint64_t seed) {
  for (const char c : name) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  if (seed != 0) state_ ^= mixed(seed * kStep);
}

double Generator::uniform() {
  return std::ldexp(static_cast<double>(mixed(state_ += kStep) >> 11), -53);
}

double Generator::normal() {
  const double radius = std::sqrt(-2 * std::log1p(-uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

Draw constant(double value) {
  return [value](Generator&) { return value; };
}

Draw uniform(double low, double high) {
  return [low, high](Generator& g) { return low + (high - low) * g.uniform(); };
}

Draw normal(double mean, double std) {
  return [mean, std](Generator& g) { return mean + std * g.normal(); };
}

Draw truncated_normal(double mean, double std, double low, double high) {
  return [mean, std, low, high](Generator& g) {
    for (;;) {
      const double x = mean + std * g.normal();
      if (x >= low && x <= high) return x;
    }
  };
}

double share_within(double mean, double std, double low, double high) {
  const auto below = [&](double x) {
    return std::erfc((mean - x) / (std * std::numbers::sqrt2)) / 2;
  };
  return below(high) - below(low);
}

Fans fans(std::span<const int64_t> dims) {
  double kernel = 1;
  for (const int64_t d : dims.subspan(2)) kernel *= static_cast<double>(d);
  return {static_cast<double>(dims[1]) * kernel, static_cast<double>(dims[0]) * kernel};
}

}  // namespace onnx2fx::sources
