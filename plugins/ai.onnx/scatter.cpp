// Ops that write elements at given positions of a copy.
#include <onnx2fx/plugin.hpp>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/indices.hpp"
#include "plugins/lowering/movement.hpp"

using namespace onnx2fx;

// The name of a reduction in aten::scatter_reduce and aten::index_reduce; empty: plain writing.
static std::string_view reduction(Node& n) {
  static constexpr std::string_view kNames[] = {"", "sum", "prod", "amax", "amin"};
  if (!n.has("reduction")) return "";  // before opset 16
  return kNames[choice(n, "reduction", {"none", "add", "mul", "max", "min"})];
}

// Data and updates are both moved, so both are stood in for together.
template <class F>
static void written(Node& n, F f) {
  n.outputs(moved(n, {n.input(0), n.input(2)}, Elements::kBits,
                  [&](const Values& v) { return Values{f(v[0], v[1])}; }));
}
static void refuse_reduction_of(Node& n, Value x) {
  const int32_t dtype = n.info(x).raw.dtype;
  if (dtype == kString || dtype == kBool || signed_twin(dtype))
    throw Unsupported("a reduction over elements of this type");
}

static void scatter_elements(Node& n) {
  const Value data = n.input(0);
  const int64_t axis = n.integer("axis", 0);
  const std::string_view reduce = reduction(n);
  const Value index = indices::from_front(n, n.input(1), n.dim(data, axis));
  if (reduce.empty())
    return written(n, [&](Value x, Value updates) {
      return n.call("aten::scatter.src", {x, axis, index, updates});
    });
  refuse_reduction_of(n, data);
  n.output(n.call("aten::scatter_reduce.two", {data, axis, index, n.input(2), reduce}));
}

// One index into the axes that the tuples span, taken together.
static Value linear_index(Node& n, Value data, const Values& tuple) {
  Value linear;
  for (size_t i = 0; i < tuple.size(); i++) {
    const Int extent = n.dim(data, static_cast<int64_t>(i));
    const Value at = indices::from_front(n, tuple[i], extent);
    linear = linear ? n.call("aten::add.Tensor", {n.call("aten::mul.Scalar", {linear, extent}), at})
                    : at;
  }
  return n.call("aten::reshape", {linear, Ints{-1}});
}
static void scatter_nd(Node& n) {
  const Value data = n.input(0), updates = n.input(2);
  const std::string_view reduce = reduction(n);
  const Values tuple = indices::tuples(n, n.input(1), 0);
  if (reduce.empty())
    return written(n, [&](Value x, Value y) { return n.call("aten::index_put", {x, tuple, y}); });
  refuse_reduction_of(n, data);
  if (reduce == "sum") return n.output(n.call("aten::index_put", {data, tuple, updates, true}));
  const Ints dims = n.dims(data);
  const auto rest = dims.begin() + static_cast<int64_t>(tuple.size());
  Ints flat{n.product(Ints(dims.begin(), rest))}, rows{n.product(n.dims(n.input(1)))};
  rows[0] = n.floordiv(rows[0], static_cast<int64_t>(tuple.size()));
  flat.insert(flat.end(), rest, dims.end());
  rows.insert(rows.end(), rest, dims.end());
  const Value y = n.call("aten::index_reduce",
                         {n.call("aten::reshape", {data, flat}), 0, linear_index(n, data, tuple),
                          n.call("aten::reshape", {updates, rows}), reduce});
  n.output(n.call("aten::reshape", {y, dims}));
}

// Writes the update into each sample's cache from the sample's own position on.
static Value cached(Node& n, Value cache, Value update, Value start) {
  const int64_t rank = n.rank(cache), axis = Node::axis(n.integer("axis", -2), rank);
  const bool circular = choice(n, "mode", {"linear", "circular"}) == 1;
  const Int length = n.dim(update, axis);
  if (!start) return n.call("aten::slice_scatter", {cache, update, axis, 0, length});
  Value at =
      n.call("aten::add.Tensor", {n.call("aten::unsqueeze", {start, 1}), arange(n, length, cache)});
  if (circular) at = n.call("aten::remainder.Scalar", {at, n.dim(cache, axis)});
  Ints shape = shape_along(axis, rank, length);
  shape[0] = n.dim(update, 0);
  at = n.call("aten::expand_as", {n.call("aten::reshape", {at, shape}), update});
  return n.call("aten::scatter.src", {cache, axis, at, update});
}
static void tensor_scatter(Node& n) {
  const Value start = n.maybe_input(2);
  n.ignore("mode");  // without a start nothing wraps
  n.outputs(moved(n, {n.input(0), n.input(1)}, Elements::kBits,
                  [&](const Values& v) { return Values{cached(n, v[0], v[1], start)}; }));
}

static constexpr o2fx_op kOps[] = {
    op("Scatter", 9, lower<scatter_elements>),
    op("ScatterElements", 11, lower<scatter_elements>),
    op("ScatterND", 11, lower<scatter_nd>),
    op("TensorScatter", 24, lower<tensor_scatter>),
};
const Family kScatter = family(kOps);
