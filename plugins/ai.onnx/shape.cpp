// Ops that say or change the shape of a tensor and leave its elements in their order.
#include <algorithm>
#include <cstdint>
#include <onnx2fx/plugin.hpp>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/movement.hpp"
#include "plugins/lowering/sizes.hpp"

using namespace onnx2fx;

// Also a sequence, an optional, a string tensor: the value itself goes through.
static void identity(Node& n) { n.output(n.input(0)); }

// The extents can be asked of any tensor; of a string tensor through the positions of its elements.
static Value measurable(Node& n, Value x) {
  if (n.info(x).raw.dtype != kString) return x;
  return n.calls(1, "onnx2fx::strings_positions", {Values{x}})[0];
}

static void shape(Node& n) {
  const int64_t start = n.int64("start", 0), end = n.int64("end", INT64_MAX);
  const Value x = measurable(n, n.input(0));
  if (!n.rank_known(x)) {
    const Value sizes = n.call("onnx2fx::shape_of", {x});
    return n.output(n.call("aten::slice.Tensor", {sizes, 0, start, end}));
  }
  const int64_t rank = n.rank(x);
  const auto clamped = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  Ints dims;
  for (int64_t i = clamped(start); i < clamped(end); i++) dims.push_back(n.dim(x, i));
  n.output(n.int_tensor(dims));
}

static void size(Node& n) {
  const Value x = measurable(n, n.input(0));
  if (n.rank_known(x)) return n.output(n.int_tensor(n.product(n.dims(x))));
  n.output(n.int_tensor(sizes::number(n.call("aten::sym_numel", {x}))));
}

// An entry 0 copies the extent of the input. One that only the data tells may be 0 or not.
static Int reshape_entry(Node& n, Value x, const Int& entry, int64_t axis, bool from_data) {
  const bool copies = !n.rank_known(x) || axis < n.rank(x);
  if (entry.known()) {
    if (!entry.is(0)) return entry;
    if (!copies) throw Invalid("shape: entry " + std::to_string(axis) + " copies a missing axis");
    return n.dim(x, axis);
  }
  if (!from_data || !copies) return entry;
  const Int extent = n.dim(x, axis);
  return sizes::choose(n, sizes::is_equal(n, entry, 0), extent, entry);
}
// Of an x whose own axes are unknown, so that an entry of 0 cannot be looked up one by one.
static Value reshape_unknown(Node& n, Value x, Value shape, int64_t rank) {
  const Value own =
      n.call("aten::constant_pad_nd", {n.call("onnx2fx::shape_of", {x}), Ints{0, rank}});
  const Value kept = n.call("aten::slice.Tensor", {own, 0, 0, rank});
  const Value target =
      n.call("aten::where.self", {n.call("aten::eq.Scalar", {shape, 0}), kept, shape});
  return n.call("aten::_reshape_from_tensor", {x, target});
}

static void reshape(Node& n) {
  n.ignore("consumed_inputs");
  const bool allow_zero = n.flag("allowzero", false);
  bool from_data = false;
  Ints shape;
  if (n.has("shape")) {
    for (const int64_t i : n.int64s("shape")) shape.push_back(i);
  } else {
    from_data = !n.maybe_ints(n.input(1), O2FX_INTS_KNOWN_ONLY);
    shape = n.ints(n.input(1));
  }
  n.outputs(moved(n, {n.input(0)}, Elements::kPlain, [&](const Values& x) {
    if (from_data && !allow_zero && !n.rank_known(x[0]))
      return Values{reshape_unknown(n, x[0], n.input(1), static_cast<int64_t>(shape.size()))};
    Ints target = shape;
    for (size_t i = 0; i < target.size() && !allow_zero; i++)
      if (!target[i].known() || target[i].is(0))
        target[i] = reshape_entry(n, x[0], target[i], static_cast<int64_t>(i), from_data);
    return Values{n.call("aten::reshape", {x[0], target})};
  }));
}

// To two axes; aten::flatten never has to guess a -1, so extents of 0 do no harm. Of a tensor of
// unknown rank an axis inside it is all that aten::flatten takes.
static Value flattened(Node& n, Value x) {
  int64_t axis = n.integer("axis", 1);
  const bool known = n.rank_known(x) || axis < 0;
  const int64_t rank = known ? n.rank(x) : axis + 2;
  if (axis != rank) axis = Node::axis(axis, rank);
  if (axis == 0 || axis == rank) {
    const Value flat = n.call("aten::flatten.using_ints", {x, 0, -1});
    return n.call("aten::unsqueeze", {flat, axis == 0 ? 0 : 1});
  }
  const bool last = known && axis + 1 == rank && axis > 1;
  const Value y = last ? x : n.call("aten::flatten.using_ints", {x, axis, -1});
  return axis == 1 ? y : n.call("aten::flatten.using_ints", {y, 0, axis - 1});
}

static Value squeezed(Node& n, Value x) {
  const auto axes = sizes::given(n, "axes", 1);
  if (!axes) return n.call("aten::squeeze", {x});
  for (const Int& a : *axes) {
    if (!a.known() || !n.rank_known(x)) continue;
    const Int extent = n.dim(x, Node::axis(a.arg.u.i, n.rank(x)));
    if (extent.known() && !extent.is(1))
      throw Invalid("axes: expected an extent of 1 on axis " + std::to_string(a.arg.u.i) +
                    ", got " + std::to_string(extent.arg.u.i));
  }
  return without_axes(n, x, *axes);
}

// Axes count in the result, in any order: they are inserted from the smallest on, or from the last
// if all of them count from the end. Run-time ones are put in order by a network of minima and
// maxima.
static Value unsqueezed(Node& n, Value x) {
  Ints axes = sizes::required(n, "axes", 1);
  if (n.rank_known(x))
    for (const Int& a : axes)
      if (a.known()) Node::axis(a.arg.u.i, n.rank(x) + static_cast<int64_t>(axes.size()));
  const auto all = [&](auto f) {
    return std::all_of(axes.begin(), axes.end(),
                       [&](const Int& a) { return a.known() && f(a.arg.u.i); });
  };
  if (all([](int64_t a) { return a < 0; })) {
    std::sort(axes.begin(), axes.end(),
              [](const Int& a, const Int& b) { return a.arg.u.i > b.arg.u.i; });
    for (const Int& a : axes) x = n.call("aten::unsqueeze", {x, a});
    return x;
  }
  if (!all([](int64_t a) { return a >= 0; })) {
    const int64_t rank = n.rank(x) + static_cast<int64_t>(axes.size());
    for (Int& a : axes) a = sizes::from_front(n, a, rank);
  }
  for (size_t i = 0; i < axes.size(); i++) {
    for (size_t j = i + 1; j < axes.size(); j++) {
      const Int low = n.min(axes[i], axes[j]), high = n.max(axes[i], axes[j]);
      axes[i] = low;
      axes[j] = high;
    }
  }
  for (const Int& a : axes) x = n.call("aten::unsqueeze", {x, a});
  return x;
}

static Value transposed(Node& n, Value x) {
  std::vector<int64_t> order = n.integers("perm");
  if (order.empty() && !n.has("perm"))
    for (int64_t i = n.rank(x); i > 0; i--) order.push_back(i - 1);
  if (order == std::vector<int64_t>{1, 0}) return n.call("aten::t", {x});
  return n.call("aten::permute", {x, order});
}

// Both sides broadcast: an entry 1 keeps the extent of the input.
static Value expanded(Node& n, Value x) {
  const Ints shape = n.ints(n.input(1));
  if (!n.rank_known(x)) {
    const Value one = n.call("aten::new_empty", {x, Ints{}});
    const Values both{x, n.call("aten::expand", {one, shape})};
    return n.calls(2, "aten::broadcast_tensors", {both})[0];
  }
  const int64_t rank = n.rank(x), wanted = static_cast<int64_t>(shape.size());
  Ints target;
  for (int64_t i = std::min<int64_t>(0, wanted - rank); i < wanted; i++) {
    const int64_t axis = i - wanted + rank;
    if (axis < 0) {
      target.push_back(shape[static_cast<size_t>(i)]);
      continue;
    }
    const Int extent = n.dim(x, axis);
    if (i < 0 || (extent.known() && !extent.is(1))) {
      target.push_back(extent);
      continue;
    }
    target.push_back(sizes::broadcast(n, extent, shape[static_cast<size_t>(i)]));
  }
  return n.call("aten::expand", {x, target});
}

// Opset 1 repeats one axis, given by two scalars.
static Value tiled(Node& n, Value x) {
  if (n.opset() >= 6) return n.call("aten::repeat", {x, n.ints(n.input(1))});
  const Int tiles = sizes::whole_numbers(n, n.input(1)).at(0);
  const Int axis = sizes::whole_numbers(n, n.input(2)).at(0);
  const int64_t rank = n.rank(x);
  const Int front = sizes::from_front(n, axis, rank);
  Ints repeats;
  for (int64_t i = 0; i < rank; i++)
    repeats.push_back(sizes::choose(n, sizes::is_equal(n, front, i), tiles, 1));
  return n.call("aten::repeat", {x, repeats});
}

static void concat(Node& n) {
  const int64_t axis = n.integer("axis", 1);
  const Values xs = n.inputs();
  if (xs.size() == 1) return n.output(xs[0]);
  n.outputs(moved(n, xs, Elements::kPlain, [&](const Values& x) {
    return Values{n.call("aten::cat", {x, axis})};
  }));
}

// Equal parts, save the last, which may be smaller.
static Ints equal_parts(Node& n, Value x, int64_t axis, size_t parts) {
  const Int extent = n.dim(x, axis), each = sizes::ceildiv(n, extent, static_cast<int64_t>(parts));
  Ints r(parts - 1, each);
  r.push_back(n.sub(extent, n.mul(each, static_cast<int64_t>(parts - 1))));
  if (r.back().known() && r.back().arg.u.i < 0)
    throw Invalid("num_outputs: " + std::to_string(parts) + " parts of an axis of " +
                  std::to_string(extent.arg.u.i));
  return r;
}
static void split(Node& n) {
  const int64_t axis = n.integer("axis", 0);
  const size_t parts = n.n_outputs();
  if (n.has("num_outputs") && n.integer("num_outputs") != static_cast<int64_t>(parts))
    throw Invalid("num_outputs: expected " + std::to_string(parts) + ", got " +
                  std::to_string(n.integer("num_outputs")));
  const auto lengths = sizes::given(n, "split", 1);
  if (lengths && lengths->size() != parts)
    throw Invalid("split: expected " + std::to_string(parts) + " lengths, got " +
                  std::to_string(lengths->size()));
  n.outputs(moved(n, {n.input(0)}, Elements::kPlain, [&](const Values& x) {
    if (parts == 1 && !lengths) return x;
    return n.calls(parts, "aten::split_with_sizes",
                   {x[0], lengths ? *lengths : equal_parts(n, x[0], axis, parts), axis});
  }));
}

// Splits channels into blocks: DCR takes the block from the front of the channels, CRD from the
// back, as aten::pixel_shuffle does.
static bool takes_block_from_back(Node& n) {
  return one_of(n, "mode", {"DCR", "CRD"}, "DCR") == "CRD";
}
static Value depth_to_space(Node& n, Value x) {
  const int64_t b = n.integer("blocksize");
  if (takes_block_from_back(n)) return n.call("aten::pixel_shuffle", {x, b});
  const Int depth = n.floordiv(n.dim(x, 1), b * b), height = n.dim(x, 2), width = n.dim(x, 3);
  const Int batch = n.dim(x, 0);
  x = n.call("aten::reshape", {x, Ints{batch, b, b, depth, height, width}});
  x = n.call("aten::permute", {x, Ints{0, 3, 4, 1, 5, 2}});
  return n.call("aten::reshape", {x, Ints{batch, depth, n.mul(height, b), n.mul(width, b)}});
}
static Value space_to_depth(Node& n, Value x) {
  const int64_t b = n.integer("blocksize");
  if (takes_block_from_back(n)) return n.call("aten::pixel_unshuffle", {x, b});
  const Int batch = n.dim(x, 0), depth = n.dim(x, 1);
  const Int height = n.floordiv(n.dim(x, 2), b), width = n.floordiv(n.dim(x, 3), b);
  x = n.call("aten::reshape", {x, Ints{batch, depth, height, b, width, b}});
  x = n.call("aten::permute", {x, Ints{0, 3, 5, 1, 2, 4}});
  return n.call("aten::reshape", {x, Ints{batch, n.mul(depth, b * b), height, width}});
}

static Value triangle(Node& n, Value x) {
  const Value diagonal = n.maybe_input(1);
  return n.call(n.flag("upper") ? "aten::triu" : "aten::tril",
                {x, diagonal ? sizes::integer(n, diagonal) : Int(0)});
}
static void trilu(Node& n) {
  if (n.info(n.input(0)).raw.dtype == kString) throw Unsupported("a triangle of strings");
  moves<triangle, Elements::kBits>(n);
}

static constexpr o2fx_op kOps[] = {
    op("Concat", 1, lower<concat>),
    op("DepthToSpace", 1, lower<moves<depth_to_space>>),
    op("Expand", 8, lower<moves<expanded>>),
    op("Flatten", 1, lower<moves<flattened>>),
    op("Identity", 1, lower<identity>),
    op("Reshape", 1, lower<reshape>),
    op("Shape", 1, lower<shape>),
    op("Size", 1, lower<size>),
    op("SpaceToDepth", 1, lower<moves<space_to_depth>>),
    op("Split", 1, lower<split>),
    op("Squeeze", 1, lower<moves<squeezed>>),
    op("Tile", 1, lower<moves<tiled>>),
    op("Transpose", 1, lower<moves<transposed>>),
    op("Trilu", 14, lower<trilu>),
    op("Unsqueeze", 1, lower<moves<unsqueezed>>),
};
const Family kShape = family(kOps);
