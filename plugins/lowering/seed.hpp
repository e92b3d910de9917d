// An operator with a seed has a generator of its own, as a kernel of ONNX Runtime has: the leaves
// onnx2fx::seeded_* and an int64 buffer that counts the node's draws. Without a seed the numbers
// come from torch's generator.
#ifndef ONNX2FX_PLUGINS_LOWERING_SEED_HPP_
#define ONNX2FX_PLUGINS_LOWERING_SEED_HPP_

#include <bit>
#include <cmath>
#include <onnx2fx/plugin.hpp>
#include <optional>
#include <string>

namespace onnx2fx {

struct Seed {
  int64_t number;
  Value draws;  ///< a scalar, which the leaf counts up
};

inline Seed own_generator(Node& n, int64_t number) {
  n.annotate("seed",
             "kept: a generator of the node's own; it starts afresh when the module is loaded, "
             "its count of draws is part of the state_dict");
  const std::string owner(n.name().empty() ? n.op_type() : n.name());
  return {number,
          n.constant(owner + ".draws", kInt64, std::vector<int64_t>{0}, {}, O2FX_ROLE_MUTATED)};
}

/// Of an attribute of floats, as the random operators have it: any two differ.
inline std::optional<Seed> real_seed(Node& n) {
  if (!n.has("seed")) return {};
  const double seed = n.real("seed");
  const bool whole = std::abs(seed) < 0x1p53 && seed == std::trunc(seed);
  return own_generator(n, whole ? static_cast<int64_t>(seed) : std::bit_cast<int64_t>(seed));
}

/// Of an attribute of integers, as Dropout has it.
inline std::optional<Seed> integer_seed(Node& n) {
  if (!n.has("seed")) return {};
  return own_generator(n, n.integer("seed"));
}

}  // namespace onnx2fx

#endif
