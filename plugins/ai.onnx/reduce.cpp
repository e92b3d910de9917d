// Reductions along axes, and the positions of extremes.
#include <algorithm>
#include <limits>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/dtype.hpp"
#include "plugins/lowering/movement.hpp"
#include "plugins/lowering/sizes.hpp"

using namespace onnx2fx;

namespace {

// ---- which axes

struct Reduction {
  Value x;
  int32_t dtype = 0;
  std::optional<Ints> axes;  // nullopt: all of them
  bool keep = true;
  bool none() const { return axes && axes->empty(); }
};

// The opset from which on the axes are an input.
int64_t axes_are_input_since(Node& n) { return n.op_type() == "ReduceSum" ? 13 : 18; }

Reduction read_reduction(Node& n) {
  Reduction r{n.input(0), n.dtype(n.input(0)), std::nullopt, n.flag("keepdims")};
  Ints axes;
  if (n.opset() < axes_are_input_since(n)) {
    for (const int64_t a : n.integers("axes")) axes.push_back(a);
  } else {
    if (const Value given = n.maybe_input(1)) axes = n.ints(given);
    if (n.flag("noop_with_empty_axes") && axes.empty()) r.axes.emplace();
  }
  if (!axes.empty()) r.axes = axes;
  return r;
}

// For targets that take no None: the axes one by one.
Ints listed(Node& n, const Reduction& r) {
  if (r.axes) return *r.axes;
  Ints all;
  for (int64_t i = 0; i < n.rank(r.x); i++) all.push_back(i);
  return all;
}

Arg axes_or_none(const Reduction& r) { return r.axes ? Arg(*r.axes) : Arg(nullptr); }

// torch.onnx.export forgets to keep what a norm over all axes is to keep.
Arg axes_of_norm(Node& n, const Reduction& r) {
  return r.keep && !r.axes && n.info(r.x).raw.rank >= 0 ? Arg(listed(n, r)) : axes_or_none(r);
}

// ---- sums

Value summed(Node& n, const Reduction& r, Value x, int32_t dtype) {
  if (r.none()) return x;
  return n.call("aten::sum.dim_IntList", {x, axes_or_none(r), r.keep}, kept(dtype));
}

void reduce_sum(Node& n) {
  const Reduction r = read_reduction(n);
  if (r.none()) return n.output(r.x);
  const Value y = summed(n, r, widened(n, r.x, r.dtype), computed_in(r.dtype));
  n.output(narrowed(n, y, r.dtype));
}

void reduce_sum_square(Node& n) {
  const Reduction r = read_reduction(n);
  const Value x = widened(n, r.x, r.dtype);
  const Value y = summed(n, r, n.call("aten::mul.Tensor", {x, x}), computed_in(r.dtype));
  n.output(narrowed(n, y, r.dtype));
}

void reduce_log_sum(Node& n) {
  const Reduction r = read_reduction(n);
  const bool real = is_floating(r.dtype);
  const Value x = real ? r.x : to_dtype(n, r.x, kDouble);
  const Value y = n.call("aten::log", {summed(n, r, x, real ? r.dtype : kDouble)});
  n.output(real ? y : to_dtype(n, y, r.dtype));
}

void reduce_log_sum_exp(Node& n) {
  const Reduction r = read_reduction(n);
  if (r.none()) return n.output(r.x);
  const bool real = is_floating(r.dtype);
  const Value x = real ? r.x : to_dtype(n, r.x, kDouble);
  const Value y = n.call("aten::logsumexp", {x, listed(n, r), r.keep});
  n.output(real ? y : to_dtype(n, y, r.dtype));
}

// ---- norms

void reduce_l1(Node& n) {
  const Reduction r = read_reduction(n);
  const bool nonnegative = is_unsigned(r.dtype);
  if (is_floating(r.dtype) && !r.none())
    return n.output(n.call("aten::linalg_vector_norm", {r.x, 1, axes_of_norm(n, r), r.keep}));
  const Value x = nonnegative ? widened(n, r.x, r.dtype) : n.call("aten::abs", {r.x});
  n.output(narrowed(n, summed(n, r, x, computed_in(r.dtype)), r.dtype));
}

void reduce_l2(Node& n) {
  const Reduction r = read_reduction(n);
  if (r.none()) return n.output(is_unsigned(r.dtype) ? r.x : n.call("aten::abs", {r.x}));
  const bool real = is_floating(r.dtype);
  const Value x = real ? r.x : to_dtype(n, r.x, kDouble);
  const Value y = n.call("aten::linalg_vector_norm", {x, 2, axes_of_norm(n, r), r.keep});
  n.output(real ? y : to_dtype(n, y, r.dtype));
}

// ---- means and products

// Integers: the sum divided towards 0.
void reduce_mean(Node& n) {
  const Reduction r = read_reduction(n);
  if (r.none()) return n.output(r.x);
  if (is_floating(r.dtype))
    return n.output(n.call("aten::mean.dim", {r.x, axes_or_none(r), r.keep}));
  Int count(1);
  for (const Int& a : listed(n, r)) count = n.mul(count, sizes::extent(n, r.x, a));
  const Value total = summed(n, r, to_dtype(n, r.x, kInt64), kInt64);
  const Value y =
      r.dtype == kUint64
          ? divided_unsigned(n, total, n.call("aten::full_like", {total, count}))
          : n.call("aten::div.Scalar_mode", {total, count}, {{"rounding_mode", "trunc"}});
  n.output(to_dtype(n, y, r.dtype));
}

// ATen's product takes one axis.
void reduce_prod(Node& n) {
  const Reduction r = read_reduction(n);
  if (r.none()) return n.output(r.x);
  const Kwargs dtype = kept(computed_in(r.dtype));
  const Value x = widened(n, r.x, r.dtype);
  Value y = x;
  if (!r.axes && !r.keep) {
    y = n.call("aten::prod", {x}, dtype);
  } else {
    const Ints axes = listed(n, r);
    const bool one = axes.size() == 1;
    for (const Int& a : axes) y = n.call("aten::prod.dim_int", {y, a, one ? r.keep : true}, dtype);
    if (!one && !r.keep) y = without_axes(n, y, axes);
  }
  n.output(narrowed(n, y, r.dtype));
}

// ---- extremes

// What an extreme over nothing is: the type's own bound. Of unsigned types it stands in an int64
// that has the same low bits.
Arg neutral(int32_t dtype, bool most) {
  if (dtype == kBool) return !most;
  if (is_floating(dtype)) return (most ? -1 : 1) * std::numeric_limits<double>::infinity();
  if (is_unsigned(dtype)) return most ? int64_t{0} : int64_t{-1};
  const int unused = dtype == kInt64 ? 0 : dtype == kInt32 ? 32 : dtype == kInt16 ? 48 : 56;
  const int64_t least = std::numeric_limits<int64_t>::min() >> unused;
  return most ? least : -(least + 1);
}

// Whether one of x's extents is known to be 0; ATen refuses to reduce such an axis. (With another
// axis of extent 0 the result has no element either.)
bool is_empty(Node& n, Value x) {
  const Info i = n.info(x);
  return i.raw.dims && std::any_of(i.raw.dims, i.raw.dims + std::max(i.raw.rank, 0),
                                   [](int64_t d) { return d == 0; });
}

Value constant_extreme(Node& n, const Reduction& r, bool most) {
  const int32_t dtype = is_unsigned(r.dtype) ? static_cast<int32_t>(kInt64) : r.dtype;
  const Value like = summed(n, r, widened(n, r.x, r.dtype), computed_in(r.dtype));
  const Value y = n.call("aten::full_like", {like, neutral(r.dtype, most)}, kept(dtype));
  return dtype == r.dtype ? y : to_dtype(n, y, r.dtype);
}

void reduce_extreme(Node& n, const char* target) {
  const Reduction r = read_reduction(n);
  if (r.none()) return n.output(r.x);
  if (is_empty(n, r.x))
    return n.output(constant_extreme(n, r, std::string_view(target) == "aten::amax"));
  const Value x = ordered(n, r.x, r.dtype);
  // torch.onnx.export wants the axes, of what has any
  const bool ranked = n.info(r.x).raw.rank >= 0;
  const Value y = n.call(target, {x, ranked ? listed(n, r) : r.axes.value_or(Ints{}), r.keep});
  n.output(unordered(n, y, r.dtype));
}

// ATen returns the first of equal extremes; the last is the first from behind.
void arg_extreme(Node& n, const char* target) {
  const Value x = n.input(0);
  const int64_t axis = n.integer("axis");
  const bool keep = n.flag("keepdims");
  const bool last = n.opset() >= 12 && n.flag("select_last_index");
  Value v = ordered(n, x, n.dtype(x));
  if (last) v = n.call("aten::flip", {v, Ints{axis}});
  Value y = n.call(target, {v, axis, keep});
  if (last) y = n.call("aten::rsub.Scalar", {y, n.sub(n.dim(x, axis), 1)});
  n.output(y);
}

constexpr o2fx_op kOps[] = {
    op_to("ArgMax", 1, lower_to<arg_extreme>, "aten::argmax"),
    op_to("ArgMin", 1, lower_to<arg_extreme>, "aten::argmin"),
    op("ReduceL1", 1, lower<reduce_l1>),
    op("ReduceL2", 1, lower<reduce_l2>),
    op("ReduceLogSum", 1, lower<reduce_log_sum>),
    op("ReduceLogSumExp", 1, lower<reduce_log_sum_exp>),
    op_to("ReduceMax", 1, lower_to<reduce_extreme>, "aten::amax"),
    op("ReduceMean", 1, lower<reduce_mean>),
    op_to("ReduceMin", 1, lower_to<reduce_extreme>, "aten::amin"),
    op("ReduceProd", 1, lower<reduce_prod>),
    op("ReduceSum", 1, lower<reduce_sum>),
    op("ReduceSumSquare", 1, lower<reduce_sum_square>),
};

}  // namespace

const Family kReduce = family(kOps);
