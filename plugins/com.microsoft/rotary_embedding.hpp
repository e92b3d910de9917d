// Rotation of the heads of queries and keys by angles that grow with their places.
#ifndef ONNX2FX_PLUGINS_COM_MICROSOFT_ROTARY_EMBEDDING_HPP_
#define ONNX2FX_PLUGINS_COM_MICROSOFT_ROTARY_EMBEDDING_HPP_

#include <onnx2fx/plugin.hpp>

namespace contrib {

/// Tables of (places, size / 2); the rows at `positions` (N, L) are taken.
struct Rotation {
  onnx2fx::Value cos, sin, positions;
  bool interleaved = false;
};

/// x is (N, heads, L, size); a table narrower than size / 2 leaves the rest of a head alone.
onnx2fx::Value rotated(onnx2fx::Node& n, onnx2fx::Value x, const Rotation& r);

}  // namespace contrib

#endif
