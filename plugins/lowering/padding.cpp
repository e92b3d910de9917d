#include "plugins/lowering/padding.hpp"

#include <algorithm>

#include "plugins/lowering/arange.hpp"

namespace onnx2fx {
namespace {

// ATen counts pads from the last axis on and stops at the first that has any.
Ints from_last_axis(const Padding& p) {
  Ints r;
  for (size_t d = p.before.size(); d-- > 0;) {
    r.push_back(p.before[d]);
    r.push_back(p.after[d]);
  }
  while (r.size() > 2 && r[r.size() - 1].is(0) && r[r.size() - 2].is(0)) r.resize(r.size() - 2);
  return r;
}

// The positions of the input's elements along one padded axis.
Value positions(Node& n, Value beside, const std::string& mode, Int extent, Int before, Int after) {
  const Int end = n.add(extent, after);
  const Value at = arange_from(n, n.sub(0, before), end, beside);
  if (mode == "edge") return n.call("aten::clamp", {at, 0, n.sub(extent, 1)});
  if (mode == "wrap") return n.call("aten::remainder.Scalar", {at, extent});
  // There and back again: 0 1 2 3 2 1 0 1 ...
  const Int last = n.sub(extent, 1), period = n.max(n.mul(last, 2), 1);
  const Value phase = n.call("aten::remainder.Scalar", {at, period});
  const Value off = n.call("aten::abs", {n.call("aten::sub.Scalar", {phase, last})});
  return n.call("aten::sub.Tensor", {n.call("aten::full_like", {off, last}), off});
}

bool are_literals(const Ints& l) {
  return std::all_of(l.begin(), l.end(), [](const Int& i) { return i.known(); });
}

// Whether torch's own padding of images does: the last one to three axes, by less than the extent.
bool torch_pads(Node& n, const std::string& mode, Value x, const Ints& pads) {
  const size_t axes = pads.size() / 2;
  const int32_t dtype = n.info(x).raw.dtype;
  const int64_t outer = n.rank(x) - static_cast<int64_t>(axes);  // channels, perhaps a batch
  if (mode == "wrap" || !are_literals(pads) || axes > 3 || outer < 1 || outer > 2) return false;
  if (dtype != kFloat && dtype != kDouble) return false;
  for (size_t i = 0; i < pads.size(); i++) {
    const Int extent = n.dim(x, n.rank(x) - 1 - static_cast<int64_t>(i / 2));
    if (pads[i].arg.u.i < 0 || !extent.known() || pads[i].arg.u.i >= extent.arg.u.i) return false;
  }
  return true;
}

}  // namespace

Value padded(Node& n, Value x, const Padding& p, const Arg& fill) {
  const Ints pads = from_last_axis(p);
  const bool none = std::all_of(pads.begin(), pads.end(), [](const Int& i) { return i.is(0); });
  return none ? x : n.call("aten::constant_pad_nd", {x, pads, fill});
}

Value padded_by_itself(Node& n, Value x, Padding p, const std::string& mode) {
  const Ints pads = from_last_axis(p);
  if (torch_pads(n, mode, x, pads))
    return n.call("aten::pad", {x, pads, mode == "edge" ? "replicate" : "reflect"});
  Ints extents = n.dims(x);
  Padding cut = p;
  for (size_t d = 0; d < extents.size(); d++) {
    cut.before[d] = n.min(p.before[d], 0);
    cut.after[d] = n.min(p.after[d], 0);
    extents[d] = n.add(extents[d], n.add(cut.before[d], cut.after[d]));
    p.before[d] = n.max(p.before[d], 0);
    p.after[d] = n.max(p.after[d], 0);
  }
  x = padded(n, x, cut);
  for (size_t d = 0; d < extents.size(); d++) {
    if (p.before[d].is(0) && p.after[d].is(0)) continue;
    const Value at = positions(n, x, mode, extents[d], p.before[d], p.after[d]);
    x = n.call("aten::index_select", {x, static_cast<int64_t>(d), at});
  }
  return x;
}

}  // namespace onnx2fx
