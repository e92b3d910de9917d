// Ops that pick elements by position or by value.
#include <algorithm>
#include <cmath>
#include <onnx2fx/plugin.hpp>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/indices.hpp"
#include "plugins/lowering/movement.hpp"
#include "plugins/lowering/sizes.hpp"

using namespace onnx2fx;

// A table of vectors looked up by ids, as nn.Embedding does. One looked up by ids that are known to
// be negative takes the other way.
static bool is_embedding(Node& n, Value x, Value index, int64_t axis) {
  const o2fx_value_info table = n.info(x).raw;
  if (table.is_const != O2FX_CONST_STORED || table.rank != 2 || axis != 0 ||
      n.info(index).raw.rank < 1)
    return false;
  if (table.dtype != kFloat && table.dtype != kFloat16 && table.dtype != kBfloat16 &&
      table.dtype != kDouble)
    return false;
  const auto known = constant_integers(n, index);
  return !known || indices::none_negative(known);
}

// An axis counted from the end of a tensor of unknown rank: it goes to the front, and the axes of
// the index come back to its place.
static Value gathered_from_end(Node& n, Value x, Value index, int64_t axis) {
  const int64_t rank = n.rank(index);
  Ints front, back;
  for (int64_t i = 0; i < rank; i++) {
    front.push_back(i);
    back.push_back(axis + 1 - rank + i);
  }
  x = n.call("aten::movedim.int", {x, axis, 0});
  x = n.call("aten::index.Tensor", {x, Values{index}});
  return n.call("aten::movedim.intlist", {x, front, back});
}

static Value gathered(Node& n, Value x) {
  const Value index = n.input(1);
  const int64_t axis = n.integer("axis", 0);
  if (axis < 0 && !n.rank_known(x)) return gathered_from_end(n, x, index, axis);
  const int64_t front = axis < 0 ? Node::axis(axis, n.rank(x)) : axis;
  if (is_embedding(n, x, index, front)) {
    n.role(x, O2FX_ROLE_PARAMETER);
    if (!constant_integers(n, index))
      n.annotate("ids",
                 "negative ones count from the end, unless they are an input of the model: "
                 "of those none is expected to be negative");
    return n.call("aten::embedding", {x, indices::from_front(n, index, n.dim(x, 0))});
  }
  if (n.info(index).raw.rank == 0)
    if (const auto at = n.maybe_ints(index, O2FX_INTS_KNOWN_ONLY); at && at->size() == 1)
      return n.call("aten::select.int", {x, front, at->front()});
  return n.call("aten::index.Tensor", {x, indices::at_axis(front, {index})});
}

static Value gathered_elements(Node& n, Value x) {
  const int64_t axis = n.integer("axis", 0);
  return n.call("aten::gather", {x, axis, indices::from_front(n, n.input(1), n.dim(x, axis))});
}

static Value gathered_nd(Node& n, Value x) {
  return n.call("aten::index.Tensor",
                {x, indices::tuples(n, n.input(1), n.integer("batch_dims", 0))});
}

// ---- Slice

struct Cut {
  Int axis, start, end, step;
  Int extent = {};  // of the axis, where it is needed
  bool forwards() const { return step.known() && step.arg.u.i > 0 && axis.known(); }
};

// On the flipped tensor a negative step is a positive one. Bounds clamp as ONNX says: the start
// into [0, extent - 1], the end into [-1, extent - 1].
static Value cut_backwards(Node& n, Value x, const Cut& c) {
  const Int last = n.sub(c.extent, 1);
  const auto mirrored = [&](const Int& at) {
    if (at.arg.u.i >= 0) return n.max(n.sub(last, at), 0);
    return Int(~at.arg.u.i);
  };
  Int start = c.start.is(-1) || c.start.arg.u.i >= INT32_MAX ? Int(0) : mirrored(c.start);
  if (start.known() ? start.arg.u.i > 0 : c.start.arg.u.i < 0) start = n.min(start, n.max(last, 0));
  const Int end = mirrored(c.end);
  x = n.call("aten::flip", {x, Ints{c.axis}});
  return n.call("aten::slice.Tensor", {x, c.axis, start, end, -c.step.arg.u.i});
}

// Neither the step's sign nor the bounds' need be known: the positions are computed.
static Value cut_by_positions(Node& n, Value x, const Cut& c) {
  const Int backwards = sizes::is_negative(n, c.step), top = n.sub(c.extent, backwards);
  const Int start = sizes::clamp(n, sizes::from_front(n, c.start, c.extent), 0, top);
  const Int end = sizes::clamp(n, sizes::from_front(n, c.end, c.extent), n.sub(0, backwards), top);
  const Int count = n.max(sizes::ceildiv(n, n.sub(end, start), c.step), 0);
  const Value steps = arange(n, count, x);
  const Value at = n.call("aten::add.Scalar", {n.call("aten::mul.Scalar", {steps, c.step}), start});
  return n.call("aten::index_select", {x, c.axis, at});
}

static Value cut(Node& n, Value x, const Cut& c) {
  if (c.forwards()) {
    if (c.start.is(0) && c.end.known() && c.end.arg.u.i >= INT32_MAX && c.step.is(1)) return x;
    return n.call("aten::slice.Tensor", {x, c.axis, c.start, c.end, c.step});
  }
  const bool literal = c.axis.known() && c.start.known() && c.end.known() && c.step.known();
  return literal ? cut_backwards(n, x, c) : cut_by_positions(n, x, c);
}

// No axis is longer than this. A greater bound or step says the same, but torch computes with it.
static Int within_reach(const Int& i) {
  return i.known() ? Int(std::clamp<int64_t>(i.arg.u.i, -INT32_MAX, INT32_MAX)) : i;
}

static Value sliced(Node& n, Value source) {
  Value x = source;
  const auto starts = sizes::given(n, "starts", 1), ends = sizes::given(n, "ends", 2);
  const auto axes = sizes::given(n, "axes", 3), steps = sizes::given(n, "steps", 4);
  if (!starts || !ends) throw Invalid("starts, ends: expected values, got none");
  const size_t count = starts->size();
  if (ends->size() != count || (axes && axes->size() != count) || (steps && steps->size() != count))
    throw Invalid("starts, ends, axes, steps: expected one length, got several");
  for (size_t i = 0; i < count; i++) {
    Cut c{axes ? (*axes)[i] : Int(static_cast<int64_t>(i)), within_reach((*starts)[i]),
          within_reach((*ends)[i]), steps ? within_reach((*steps)[i]) : Int(1)};
    if (c.step.is(0)) throw Invalid("steps: expected a value other than 0");
    if (c.axis.known() && c.axis.arg.u.i < 0 && n.rank_known(source))
      c.axis = Node::axis(c.axis.arg.u.i, n.rank(source));
    if (!c.forwards()) c.extent = sizes::extent(n, source, c.axis);
    x = cut(n, x, c);
  }
  return x;
}

// ---- by value

static Int depth_of(Node& n, Value depth) {
  if (const auto reals = n.constant_reals(depth); reals && reals->size() == 1) {
    if (!(std::abs(reals->front()) < 0x1p53))
      throw Invalid("depth: expected a number below 2^53, got " + std::to_string(reals->front()));
    return static_cast<int64_t>(reals->front());
  }
  if (is_integer(n.dtype(depth))) return sizes::integer(n, depth);
  return sizes::number(n.call("aten::_local_scalar_dense", {n.cast(depth, kInt64)}));
}

// Positions outside [-depth, depth) leave a row of "off".
static void one_hot(Node& n) {
  Value index = n.input(0);
  const int64_t result_rank = n.rank(index) + 1,
                axis = Node::axis(n.integer("axis", -1), result_rank);
  if (!is_floating(n.dtype(index))) index = n.cast(index, kInt64);
  const Int depth = depth_of(n, n.input(1));
  index = is_floating(n.dtype(index))
              ? n.call("aten::add.Tensor", {index, n.call("aten::lt.Scalar", {index, 0})},
                       {{"alpha", depth}})
              : indices::from_front(n, index, depth);
  const Value classes = places(n, depth, index, shape_along(axis, result_rank, depth));
  const Value hot = n.call("aten::eq.Tensor", {n.call("aten::unsqueeze", {index, axis}), classes});
  const Value off_and_on = n.role(n.input(2), O2FX_ROLE_CONSTANT);
  n.outputs(moved(n, {off_and_on}, Elements::kPlain, [&](const Values& x) {
    const Value off = n.call("aten::select.int", {x[0], 0, 0});
    const Value on = n.call("aten::select.int", {x[0], 0, 1});
    return Values{n.call("aten::where.self", {hot, on, off})};
  }));
}

static void non_zero(Node& n) {
  Value x = n.input(0);
  const int32_t dtype = n.info(x).raw.dtype;
  if (dtype == kString) throw Unsupported("NonZero of strings");
  if (is_float8(dtype)) {
    x = n.call("aten::to.dtype", {x, Dtype{kFloat}});
  } else if (signed_twin(dtype)) {
    x = n.call("aten::view.dtype", {x, Dtype{signed_twin(dtype)}});
  }
  if (n.info(n.input(0)).raw.rank <= 0) x = n.call("aten::atleast_1d", {x});
  n.output(n.call("aten::t", {n.call("aten::nonzero", {x})}));
}

static Value compressed(Node& n, Value x) {
  const bool flat = !n.has("axis");
  if (flat) x = n.call("aten::reshape", {x, Ints{-1}});
  const Value at = n.call("aten::reshape", {n.call("aten::nonzero", {n.input(1)}), Ints{-1}});
  return n.call("aten::index_select", {x, flat ? 0 : n.integer("axis"), at});
}

// Of equal elements ONNX takes the one with the lower index, which aten::topk does not promise.
static void top_k(Node& n) {
  n.ignore("sorted");
  const Value x = n.input(0);
  const int64_t axis = n.integer("axis", -1);
  const Int k = n.opset() < 10 ? Int(n.integer("k")) : sizes::integer(n, n.input(1));
  if (n.rank_known(x) && k.known()) {
    const Int extent = n.dim(x, axis);
    if (extent.known() && k.arg.u.i > extent.arg.u.i)
      throw Invalid("K: expected at most " + std::to_string(extent.arg.u.i) + ", got " +
                    std::to_string(k.arg.u.i));
  }
  Values sorted =
      n.calls(2, "aten::sort.stable", {x},
              {{"stable", true}, {"dim", axis}, {"descending", n.flag("largest", true)}});
  for (Value& v : sorted) v = n.call("aten::slice.Tensor", {v, axis, 0, k});
  n.outputs(sorted);
}

// ---- Unique

struct Distinct {
  Value values, inverse, counts;
};
// `first`: the first occurrences are wanted, which follow from all three.
static Distinct distinct(Node& n, Value x, std::optional<int64_t> axis, bool first) {
  const bool inverse = first || n.wanted(2), counts = first || n.wanted(3);
  const Values r = axis ? n.calls(3, "aten::unique_dim", {x, *axis, true, inverse, counts})
                        : n.calls(3, "aten::_unique2", {x, true, inverse, counts});
  return {r[0], n.call("aten::reshape", {r[1], Ints{-1}}), r[2]};
}

// ATen says where each element went; the first occurrence is the smallest position that went there.
static Value first_occurrences(Node& n, const Distinct& d) {
  const Value at = arange(n, n.dim(d.inverse, 0), d.inverse);
  const Value none = n.call("aten::zeros_like", {d.counts});
  return n.call("aten::scatter_reduce.two", {none, 0, d.inverse, at, "amin"},
                {{"include_self", false}});
}

static void unique(Node& n) {
  const Value x = n.input(0);
  if (n.info(x).raw.dtype == kString) throw Unsupported("Unique of strings");
  const bool flat = !n.has("axis");
  const auto axis = flat ? std::nullopt : std::optional(n.integer("axis"));
  const bool sorted = n.flag("sorted", true), needs_first = !sorted || n.wanted(1);
  Distinct d = distinct(n, x, axis, needs_first);
  Value first = needs_first ? first_occurrences(n, d) : Value{};
  if (!sorted) {
    const Value order = n.call("aten::argsort", {first});
    const Value place = n.call("aten::argsort", {order});
    first = n.call("aten::index_select", {first, 0, order});
    d.values = n.call("aten::index_select", {d.values, axis.value_or(0), order});
    d.counts = n.call("aten::index_select", {d.counts, 0, order});
    d.inverse = n.call("aten::index_select", {place, 0, d.inverse});
  }
  n.outputs({d.values, first, d.inverse, d.counts});
}

// Row b is reversed up to its length and kept from there on.
static Value reversed(Node& n, Value x) {
  const int64_t batch_axis = n.integer("batch_axis", 1), time_axis = n.integer("time_axis", 0);
  if (batch_axis + time_axis != 1 || batch_axis * time_axis != 0)
    throw Invalid("batch_axis, time_axis: expected 0 and 1, got " + std::to_string(batch_axis) +
                  " and " + std::to_string(time_axis));
  const Value lengths = n.call("aten::unsqueeze", {n.input(1), 1});
  const Value steps = arange(n, n.dim(x, time_axis), x);
  const Value mirrored =
      n.call("aten::sub.Tensor", {n.call("aten::sub.Scalar", {lengths, 1}), steps});
  const Value inside = n.call("aten::ge.Scalar", {mirrored, 0});
  Value at = n.call("aten::where.self", {inside, mirrored, steps});
  Value rows = n.call("aten::unsqueeze", {arange(n, n.dim(x, batch_axis), x), 1});
  if (time_axis == 1) return n.call("aten::index.Tensor", {x, Values{rows, at}});
  at = n.call("aten::t", {at});
  return n.call("aten::index.Tensor", {x, Values{at, n.call("aten::t", {rows})}});
}

static constexpr o2fx_op kOps[] = {
    op("Compress", 9, lower<moves<compressed, Elements::kBits>>),
    op("Gather", 1, lower<moves<gathered>>),
    op("GatherElements", 11, lower<moves<gathered_elements, Elements::kBits>>),
    op("GatherND", 11, lower<moves<gathered_nd>>),
    op("NonZero", 9, lower<non_zero>),
    op("OneHot", 9, lower<one_hot>),
    op("ReverseSequence", 10, lower<moves<reversed>>),
    op("Slice", 1, lower<moves<sliced, Elements::kBits>>),
    op("TopK", 1, lower<top_k>),
    op("Unique", 11, lower<unique>),
};
const Family kIndex = family(kOps);
