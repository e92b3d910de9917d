// Index tensors as ONNX has them: negative ones count from the end of their axis.
#ifndef ONNX2FX_PLUGINS_LOWERING_INDICES_HPP_
#define ONNX2FX_PLUGINS_LOWERING_INDICES_HPP_

#include <algorithm>
#include <cstring>
#include <onnx2fx/plugin.hpp>

namespace onnx2fx::indices {

/// The elements of a constant index tensor; nullopt if it is known only at run time.
inline std::optional<std::vector<int64_t>> constants(Node& n, Value v) {
  if (auto all = n.maybe_literals(v)) return all;
  const auto b = n.constant_data(v);
  if (!b || (b->dtype != kInt64 && b->dtype != kInt32)) return std::nullopt;
  const size_t width = b->dtype == kInt64 ? 8 : 4;
  std::vector<int64_t> r(b->size / width);
  for (size_t i = 0; i < r.size(); i++) {
    const char* at = static_cast<const char*>(b->data) + i * width;
    int32_t narrow = 0;
    if (width == 8) {
      std::memcpy(&r[i], at, 8);
    } else {
      std::memcpy(&narrow, at, 4);
      r[i] = narrow;
    }
  }
  return r;
}
inline bool none_negative(const std::optional<std::vector<int64_t>>& known) {
  return known && std::all_of(known->begin(), known->end(), [](int64_t i) { return i >= 0; });
}

/// int64 and counted from the front, for the ATen ops that count only so. aten::index and
/// aten::index_put count from the end themselves.
inline Value from_front(Node& n, Value index, const Int& extent) {
  const bool done = none_negative(constants(n, index));
  index = n.cast(index, kInt64);
  if (done) return index;
  const Value negative = n.call("aten::lt.Scalar", {index, 0});
  return n.call("aten::add.Tensor", {index, negative}, {{"alpha", extent}});
}

/// The argument of aten::index that indexes axes from `axis` on.
inline Values at_axis(int64_t axis, const Values& index) {
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
    Ints shape(static_cast<size_t>(n.rank(index) - 1), 1);
    shape[static_cast<size_t>(i)] = n.dim(index, i);
    const Value rows = n.call("aten::arange", {shape[static_cast<size_t>(i)]},
                              {{"dtype", Dtype{kInt64}}, {"device", DeviceOf{index}}});
    r.push_back(n.call("aten::reshape", {rows, shape}));
  }
  const Values columns = n.calls(static_cast<size_t>(width), "aten::unbind.int", {wide, -1});
  r.insert(r.end(), columns.begin(), columns.end());
  return r;
}

}  // namespace onnx2fx::indices

#endif
