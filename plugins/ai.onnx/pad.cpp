// Pad and CenterCropPad.
#include <algorithm>
#include <onnx2fx/plugin.hpp>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/movement.hpp"
#include "plugins/lowering/sizes.hpp"

using namespace onnx2fx;

namespace {

// For each axis what is added before and after; negative: cut off.
struct Padding {
  Ints before, after;
};

// Axes known only at run time: each axis takes what names it.
Padding padding(Node& n, Value x) {
  const Ints given =
      n.has("paddings") ? *sizes::given(n, "paddings", 1) : *sizes::given(n, "pads", 1);
  const auto axes = sizes::given(n, "axes", 3);
  const bool implied = !axes && !n.rank_known(x);  // by the number of pads
  const int64_t rank = implied ? static_cast<int64_t>(given.size() / 2) : n.rank(x);
  const size_t count = axes ? axes->size() : static_cast<size_t>(rank);
  if (given.size() != 2 * count)
    throw Invalid("pads: expected " + std::to_string(2 * count) + " values, got " +
                  std::to_string(given.size()));
  Padding p{Ints(static_cast<size_t>(rank), 0), Ints(static_cast<size_t>(rank), 0)};
  for (size_t i = 0; i < count; i++) {
    const Int axis = axes ? sizes::from_front(n, (*axes)[i], rank) : Int(static_cast<int64_t>(i));
    if (axis.known()) Node::axis(axis.arg.u.i, rank);
    for (size_t d = 0; d < static_cast<size_t>(rank); d++) {
      const Int here = sizes::is_equal(n, axis, static_cast<int64_t>(d));
      p.before[d] = sizes::choose(n, here, given[i], p.before[d]);
      p.after[d] = sizes::choose(n, here, given[count + i], p.after[d]);
    }
  }
  return p;
}

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

// Strings are padded among the positions of [fill, data...], where the fill stands at 0.
void pad_constant(Node& n, const Padding& p) {
  const Value x = n.input(0), fill = n.maybe_input(2);
  const Ints pads = from_last_axis(p);
  if (n.info(x).raw.dtype == kString) {
    if (!fill) throw Unsupported("padding strings without a constant value");
    const Values xs{fill, x}, at = n.calls(2, "onnx2fx::strings_positions", {xs});
    return n.output(
        n.call("onnx2fx::strings_take", {xs, n.call("aten::constant_pad_nd", {at[1], pads, 0})}));
  }
  Arg value = 0;
  if (fill)
    value = n.number(fill);
  else if (n.has("value"))
    value = n.real("value");
  n.output(n.call("aten::constant_pad_nd", {x, pads, value}));
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

bool literal(const Ints& l) {
  return std::all_of(l.begin(), l.end(), [](const Int& i) { return i.known(); });
}

// ATen's own op for images: it pads the last one to three axes, by less than the extent.
const char* composite(Node& n, const std::string& mode, Value x, const Ints& pads) {
  const size_t axes = pads.size() / 2;
  const int32_t dtype = n.info(x).raw.dtype;
  if (mode == "wrap" || !literal(pads) || axes > 3 || n.rank(x) != static_cast<int64_t>(axes) + 2)
    return nullptr;
  if (dtype != kFloat && dtype != kDouble) return nullptr;
  for (size_t i = 0; i < pads.size(); i++) {
    const Int extent = n.dim(x, n.rank(x) - 1 - static_cast<int64_t>(i / 2));
    if (pads[i].arg.u.i < 0 || !extent.known() || pads[i].arg.u.i >= extent.arg.u.i) return nullptr;
  }
  static constexpr const char* kReflect[] = {"aten::reflection_pad1d", "aten::reflection_pad2d",
                                             "aten::reflection_pad3d"};
  static constexpr const char* kEdge[] = {"aten::replication_pad1d", "aten::replication_pad2d",
                                          "aten::replication_pad3d"};
  return (mode == "edge" ? kEdge : kReflect)[axes - 1];
}

Value pad_from_itself(Node& n, Value x, const std::string& mode, Padding p) {
  const Ints pads = from_last_axis(p);
  if (const char* target = composite(n, mode, x, pads)) return n.call(target, {x, pads});
  Ints extents = n.dims(x);
  Padding cut = p;
  for (size_t d = 0; d < extents.size(); d++) {
    cut.before[d] = n.min(p.before[d], 0);
    cut.after[d] = n.min(p.after[d], 0);
    extents[d] = n.add(extents[d], n.add(cut.before[d], cut.after[d]));
    p.before[d] = n.max(p.before[d], 0);
    p.after[d] = n.max(p.after[d], 0);
  }
  const Ints crop = from_last_axis(cut);
  if (!std::all_of(crop.begin(), crop.end(), [](const Int& i) { return i.is(0); }))
    x = n.call("aten::constant_pad_nd", {x, crop});
  for (size_t d = 0; d < extents.size(); d++) {
    if (p.before[d].is(0) && p.after[d].is(0)) continue;
    const Value at = positions(n, x, mode, extents[d], p.before[d], p.after[d]);
    x = n.call("aten::index_select", {x, static_cast<int64_t>(d), at});
  }
  return x;
}

void pad(Node& n) {
  const Value x = n.input(0);
  const std::string mode = one_of(n, "mode", {"constant", "reflect", "edge", "wrap"}, "constant");
  const Padding p = padding(n, x);
  if (mode == "constant") return pad_constant(n, p);
  n.ignore("value");
  n.maybe_input(2);
  n.outputs(moved(n, {x}, Elements::kBits,
                  [&](const Values& v) { return Values{pad_from_itself(n, v[0], mode, p)}; }));
}

// Half of the difference on each side; of an odd one the smaller half in front. Cutting rounds the
// other way than floor: half of a negative difference goes towards 0.
void center_crop_pad(Node& n) {
  const Value x = n.input(0);
  const Ints target = n.ints(n.input(1));
  const int64_t rank = n.rank(x);
  std::vector<int64_t> axes = n.integers("axes");
  if (!n.has("axes"))
    for (int64_t i = 0; i < rank; i++) axes.push_back(i);
  if (axes.size() != target.size())
    throw Invalid("shape: expected " + std::to_string(axes.size()) + " values, got " +
                  std::to_string(target.size()));
  Padding p{Ints(static_cast<size_t>(rank), 0), Ints(static_cast<size_t>(rank), 0)};
  for (size_t i = 0; i < axes.size(); i++) {
    const int64_t axis = Node::axis(axes[i], rank);
    const Int difference = n.sub(target[i], n.dim(x, axis));
    const Int grown = n.floordiv(n.max(difference, 0), 2);
    const Int cut = n.floordiv(n.max(n.sub(0, difference), 0), 2);
    p.before[static_cast<size_t>(axis)] = n.sub(grown, cut);
    p.after[static_cast<size_t>(axis)] = n.sub(difference, n.sub(grown, cut));
  }
  n.output(n.call("aten::constant_pad_nd", {x, from_last_axis(p)}));
}

constexpr o2fx_op kOps[] = {
    op("CenterCropPad", 18, lower<center_crop_pad>),
    op("Pad", 1, lower<pad>),
};

}  // namespace

const Family kPad = family(kOps);
