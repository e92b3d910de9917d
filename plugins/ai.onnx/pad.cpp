// Pad and CenterCropPad.
#include <onnx2fx/plugin.hpp>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/movement.hpp"
#include "plugins/lowering/padding.hpp"
#include "plugins/lowering/sizes.hpp"

using namespace onnx2fx;

namespace {

// Axes known only at run time: each axis takes what names it.
Padding padding(Node& n, Value x) {
  const Ints given = sizes::required(n, n.has("paddings") ? "paddings" : "pads", 1);
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

// Strings are padded among the positions of [fill, data...], where the fill stands at 0.
void pad_constant(Node& n, const Padding& p) {
  const Value x = n.input(0), fill = n.maybe_input(2);
  if (n.info(x).raw.dtype == kString) {
    if (!fill) throw Unsupported("padding strings without a constant value");
    const Values xs{fill, x}, at = n.calls(2, "onnx2fx::strings_positions", {xs});
    return n.output(n.call("onnx2fx::strings_take", {xs, padded(n, at[1], p)}));
  }
  Arg value = 0;
  if (fill)
    value = n.number(fill);
  else if (n.has("value"))
    value = n.real("value");
  n.output(padded(n, x, p, value));
}

void pad(Node& n) {
  const Value x = n.input(0);
  const std::string mode = one_of(n, "mode", {"constant", "reflect", "edge", "wrap"}, "constant");
  const Padding p = padding(n, x);
  if (mode == "constant") return pad_constant(n, p);
  n.ignore("value");
  n.maybe_input(2);
  n.outputs(moved(n, {x}, Elements::kBits,
                  [&](const Values& v) { return Values{padded_by_itself(n, v[0], p, mode)}; }));
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
  n.output(padded(n, x, p));
}

constexpr o2fx_op kOps[] = {
    op("CenterCropPad", 18, lower<center_crop_pad>),
    op("Pad", 1, lower<pad>),
};

}  // namespace

const Family kPad = family(kOps);
