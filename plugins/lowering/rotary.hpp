// Rotation of the heads of queries and keys by angles that grow with their places.
#ifndef ONNX2FX_PLUGINS_LOWERING_ROTARY_HPP_
#define ONNX2FX_PLUGINS_LOWERING_ROTARY_HPP_

#include <onnx2fx/plugin.hpp>
#include <optional>

namespace onnx2fx {

/// Cosines and sines of half as many angles as elements are rotated: tables of (places, angles) of
/// which the rows at `positions` (N, L) are taken; without positions (N, L, angles).
struct Rotation {
  Value cos, sin, positions;
  bool interleaved = false;  ///< pairs are neighbours, not half a head apart
  std::optional<Int> width;  ///< so many elements of each head are rotated, not all
};

/// x is (N, heads, L, size).
Value rotated(Node& n, Value x, const Rotation& r);

}  // namespace onnx2fx

#endif
