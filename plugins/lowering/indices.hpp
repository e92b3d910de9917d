// Index tensors as ONNX has them: negative ones count from the end of their axis.
#ifndef ONNX2FX_PLUGINS_LOWERING_INDICES_HPP_
#define ONNX2FX_PLUGINS_LOWERING_INDICES_HPP_

#include <algorithm>
#include <onnx2fx/plugin.hpp>

#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/literals.hpp"

namespace onnx2fx::indices {

inline bool none_negative(const std::optional<std::vector<int64_t>>& known) {
  return known && std::all_of(known->begin(), known->end(), [](int64_t i) { return i >= 0; });
}

/// int64 and counted from the front, for the ATen ops that count only so. aten::index and
/// aten::index_put count from the end themselves.
inline Value from_front(Node& n, Value index, const Int& extent) {
  const bool done = none_negative(constant_integers(n, index));
  index = n.cast(index, kInt64);
  if (done) return index;
  const Value negative = n.call("aten::lt.Scalar", {index, 0});
  return n.call("aten::add.Tensor", {index, negative}, {{"alpha", extent}});
}

/// The argument of aten::index that indexes axes from `axis` on, counted from the front.
inline Values at_axis(int64_t axis, const Values& index) {
  constexpr int64_t kMostAxes = 64;  // of a tensor of torch
  if (axis >= kMostAxes)
    throw Invalid("axis: expected less than " + std::to_string(kMostAxes) + ", got " +
                  std::to_string(axis));
  Values r(static_cast<size_t>(axis));
  r.insert(r.end(), index.begin(), index.end());
  return r;
}

/// The columns of an index tensor [..., k] (k known), after one for each batch axis.
inline Values tuples(Node& n, Value index, int64_t batch_axes) {
  const int64_t width = n.dim(index, -1).literal("the last extent of 'indices'");
  const Value wide = n.cast(index, kInt64);
  Values r;
  for (int64_t i = 0; i < batch_axes; i++) {
    const Int extent = n.dim(index, i);
    r.push_back(places(n, extent, index, shape_along(i, n.rank(index) - 1, extent)));
  }
  const Values columns = n.calls(static_cast<size_t>(width), "aten::unbind.int", {wide, -1});
  r.insert(r.end(), columns.begin(), columns.end());
  return r;
}

}  // namespace onnx2fx::indices

#endif
