// An operator with a seed has a generator of its own, as a kernel of ONNX Runtime has: SplitMix64
// of the seed, of the number of the draw and of the element's place, in integers, and an int64
// buffer that counts the node's draws. The numbers are the same everywhere, normal ones up to the
// rounding of erfinv. Without a seed they come from torch's generator.
#ifndef ONNX2FX_PLUGINS_LOWERING_DRAWS_HPP_
#define ONNX2FX_PLUGINS_LOWERING_DRAWS_HPP_

#include <onnx2fx/plugin.hpp>
#include <optional>

namespace onnx2fx {

struct Seed {
  int64_t number;
  Value draws;  ///< a scalar, which every draw counts up
};

/// Of an attribute of floats, as the random operators have it: any two differ.
std::optional<Seed> real_seed(Node& n);
/// Of an attribute of integers, as Dropout has it.
std::optional<Seed> integer_seed(Node& n);

/// In [0, 1).
Value uniform(Node& n, const Seed& seed, const Ints& size, int32_t dtype);
/// By the inverse of the distribution.
Value normal(Node& n, const Seed& seed, const Ints& size, int32_t dtype);

}  // namespace onnx2fx

#endif
