#include "plugins/lowering/rotary.hpp"

#include <limits>

namespace onnx2fx {
namespace {

constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();

// (N, 1, L, angles)
Value angles(Node& n, Value table, Value positions) {
  n.role(table, O2FX_ROLE_BUFFER);
  if (positions) table = n.call("aten::index.Tensor", {table, Values{positions}});
  return n.call("aten::unsqueeze", {table, 1});
}

Value slice(Node& n, Value x, const Int& from, const Int& to) {
  return n.call("aten::slice.Tensor", {x, -1, from, to});
}

Value every_second(Node& n, Value x, int64_t from) {
  return n.call("aten::slice.Tensor", {x, -1, from, kEnd, 2});
}

// The whole last axis of x: its two halves, or its even and odd elements, turned.
Value rotate_pairs(Node& n, Value x, Value cos, Value sin, bool interleaved) {
  const Values parts = interleaved ? Values{every_second(n, x, 0), every_second(n, x, 1)}
                                   : n.calls(2, "aten::chunk", {x, 2, -1});
  const auto mul = [&](Value a, Value b) { return n.call("aten::mul.Tensor", {a, b}); };
  const Value real = n.call("aten::sub.Tensor", {mul(parts[0], cos), mul(parts[1], sin)});
  const Value imaginary = n.call("aten::add.Tensor", {mul(parts[0], sin), mul(parts[1], cos)});
  if (!interleaved) return n.call("aten::cat", {Values{real, imaginary}, -1});
  return n.call("aten::flatten.using_ints",
                {n.call("aten::stack", {Values{real, imaginary}, -1}), -2, -1});
}

}  // namespace

Value rotated(Node& n, Value x, const Rotation& r) {
  const Value cos = angles(n, r.cos, r.positions), sin = angles(n, r.sin, r.positions);
  if (!r.width || *r.width == n.dim(x, 3)) return rotate_pairs(n, x, cos, sin, r.interleaved);
  const Value head = rotate_pairs(n, slice(n, x, 0, *r.width), cos, sin, r.interleaved);
  return n.call("aten::cat", {Values{head, slice(n, x, *r.width, kEnd)}, -1});
}

}  // namespace onnx2fx
