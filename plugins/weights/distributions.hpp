// Random numbers that are the same on every machine and in every run: unlike the standard
// library's, these distributions are spelt out.
#ifndef ONNX2FX_PLUGINS_WEIGHTS_DISTRIBUTIONS_HPP_
#define ONNX2FX_PLUGINS_WEIGHTS_DISTRIBUTIONS_HPP_

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

namespace onnx2fx::sources {

/// SplitMix64, started from the name of a tensor and a seed.
class Generator {
 public:
  Generator(std::string_view name, uint64_t seed);
  /// In [0, 1).
  double uniform();
  /// Of mean 0 and standard deviation 1 (Box and Muller).
  double normal();

 private:
  uint64_t state_ = 0xcbf29ce484222325;
};

/// Draws one number.
using Draw = std::function<double(Generator&)>;

Draw constant(double value);
Draw uniform(double low, double high);
Draw normal(double mean, double std);
/// Redrawn until it lies in [low, high]; share_within says how often that is.
Draw truncated_normal(double mean, double std, double low, double high);
/// Of a normal distribution, the part that lies in [low, high].
double share_within(double mean, double std, double low, double high);

/// Inputs and outputs of one unit of a weight [out, in, kernel...], at least two dims, as
/// torch.nn.init counts them.
struct Fans {
  double in, out;
};
Fans fans(std::span<const int64_t> dims);

}  // namespace onnx2fx::sources

#endif
