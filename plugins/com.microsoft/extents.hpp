// The types of results. ONNX has no schemas of this domain, hence no inference: each lowering
// states what it makes, so that the ops that follow know what they read.
#ifndef ONNX2FX_PLUGINS_COM_MICROSOFT_EXTENTS_HPP_
#define ONNX2FX_PLUGINS_COM_MICROSOFT_EXTENTS_HPP_

#include <onnx2fx/plugin.hpp>
#include <optional>
#include <vector>

namespace contrib {

/// The size of one axis: a number, or a name (equal names are equal sizes), or neither.
struct Extent {
  Extent(int64_t size = -1) : size(size) {}
  Extent(const onnx2fx::Int& i) : size(i.known() ? i.arg.u.i : -1) {}
  int64_t size;
  o2fx_str name{};
};
/// nullopt: the rank is unknown.
using Extents = std::optional<std::vector<Extent>>;

Extents extents_of(onnx2fx::Node& n, onnx2fx::Value v);
/// One axis of v (negative: from the end).
Extent extent_of(onnx2fx::Node& n, onnx2fx::Value v, int64_t axis);
/// As numpy broadcasts.
Extents broadcast(const Extents& a, const Extents& b);
Extents matmul_extents(onnx2fx::Node& n, onnx2fx::Value a, onnx2fx::Value b);

/// States the type of y.
onnx2fx::Value typed(onnx2fx::Node& n, onnx2fx::Value y, int32_t dtype, const Extents& extents);
/// y has the shape of x, and its dtype unless one is given.
onnx2fx::Value like(onnx2fx::Node& n, onnx2fx::Value y, onnx2fx::Value x, int32_t dtype = 0);

}  // namespace contrib

#endif
