// Pooling: MaxPool, AveragePool, LpPool, their global forms, MaxUnpool.
#include <limits>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/padding.hpp"
#include "plugins/lowering/pooling.hpp"

using namespace onnx2fx;

namespace {

// x and the padding that is left to ATen.
struct Padded {
  Value x;
  Ints padding, begin;  // begin: what was added before x already
  bool ceil;
};

Padded padded(Node& n, const Pool& p, const Arg& fill) {
  const Ints none(p.w.axes, 0);
  if (fits_aten(p)) return {p.x, p.w.begin, none, p.ceil};
  return {padded(n, p.x, {p.w.begin, whole_end(n, p)}, fill), none, p.w.begin, false};
}

// ---- MaxPool ----

// What no element is less than.
Arg lowest(Node& n, Value x) {
  const int32_t dtype = n.info(x).raw.dtype;
  if (is_unsigned(dtype)) return 0;
  if (dtype == kInt8) return std::numeric_limits<int8_t>::min();
  return -std::numeric_limits<double>::infinity();
}

// ATen counts in the plane that it pooled, ONNX in the whole of X.
Value onnx_indices(Node& n, const Pool& p, const Padded& in, Value at) {
  const bool column_major = n.integer("storage_order", 0) != 0;
  const Ints sizes = spatial(n, p.x, p.w.axes), pooled = spatial(n, in.x, p.w.axes);
  Int step = 1;
  Ints steps(p.w.axes);
  for (size_t k = 0; k < p.w.axes; k++) {
    const size_t i = column_major ? k : p.w.axes - 1 - k;
    steps[i] = step;
    step = n.mul(step, sizes[i]);
  }
  Value flat = at;
  if (column_major || in.x != p.x) {
    flat = {};
    for (size_t i = p.w.axes; i-- > 0;) {
      Value c = i ? n.call("aten::remainder.Scalar", {at, pooled[i]}) : at;
      if (i) at = n.call("aten::div.Scalar_mode", {at, pooled[i]}, {{"rounding_mode", "floor"}});
      c = n.call("aten::mul.Scalar", {n.call("aten::sub.Scalar", {c, in.begin[i]}), steps[i]});
      flat = flat ? n.call("aten::add.Tensor", {flat, c}) : c;
    }
  }
  const Int batch = n.dim(p.x, 0), channels = n.dim(p.x, 1);
  Value plane = arange(n, n.mul(batch, channels), p.x);
  Ints shape{batch, channels};
  shape.resize(2 + p.w.axes, 1);
  plane = n.call("aten::reshape", {n.call("aten::mul.Scalar", {plane, step}), shape});
  return n.call("aten::add.Tensor", {flat, plane});
}

void max_pool(Node& n) {
  static constexpr const char* kTargets[] = {"aten::max_pool1d", "aten::max_pool2d",
                                             "aten::max_pool3d"};
  static constexpr const char* kIndexed[] = {"aten::max_pool1d_with_indices",
                                             "aten::max_pool2d_with_indices",
                                             "aten::max_pool3d_with_indices"};
  const Pool p = read_pool(n, n.input(0));
  if (!n.wanted(1)) n.ignore("storage_order");
  const Padded in = padded(n, p, lowest(n, p.x));
  if (p.w.axes > 3) {
    if (n.wanted(1)) throw Unsupported("output 'Indices': expected 1 to 3 spatial axes");
    return n.output(n.call("aten::amax", {windows_of(n, in.x, p.w), taps(p.w)}));
  }
  const Args args{in.x, p.w.kernel, p.w.strides, in.padding, p.w.dilations, in.ceil};
  const bool integers = p.w.axes == 1 && is_integer(n.info(p.x).raw.dtype);  // max_pool1d has none
  if (!n.wanted(1) && !integers) return n.output(n.call(kTargets[p.w.axes - 1], args));
  const Values r = n.calls(2, kIndexed[p.w.axes - 1], args);
  n.output(r[0]);
  if (n.wanted(1)) n.output(onnx_indices(n, p, in, r[1]), 1);
}

void average_pool(Node& n) {
  const Pool p = read_pool(n, n.input(0));
  n.output(averaged(n, p, n.flag("count_include_pad", false)));
}

// ---- LpPool and the global pools ----

double exponent(Node& n) {
  return n.opset() < 2 ? n.real("p", 2.0) : static_cast<double>(n.integer("p", 2));
}

void lp_pool(Node& n) {
  const Pool p = read_pool(n, n.input(0));
  const Value x = padded(n, p.x, {p.w.begin, whole_end(n, p)});
  n.output(n.call("aten::linalg_vector_norm", {windows_of(n, x, p.w), exponent(n), taps(p.w)}));
}

Ints all_spatial(Node& n, Value x) {
  Ints r;
  for (int64_t i = 2; i < n.rank(x, 2); i++) r.push_back(i);
  return r;
}

void global_average_pool(Node& n) {
  const Value x = n.input(0);
  const Ints axes = all_spatial(n, x);
  n.output(axes.empty() ? x : n.call("aten::mean.dim", {x, axes, true}));
}

void global_max_pool(Node& n) {
  const Value x = n.input(0);
  const Ints axes = all_spatial(n, x);
  n.output(axes.empty() ? x : n.call("aten::amax", {x, axes, true}));
}

void global_lp_pool(Node& n) {
  const Value x = n.input(0);
  const Ints axes = all_spatial(n, x);
  const double p = exponent(n);
  n.output(axes.empty() ? n.call("aten::abs", {x})
                        : n.call("aten::linalg_vector_norm", {x, p, axes, true}));
}

// ---- MaxUnpool ----

// A shape for a tensor of this rank, also where the length of the shape is not declared.
Ints shape_of_rank(Node& n, Value shape, size_t rank) {
  if (const auto known = n.maybe_ints(shape)) {
    if (known->size() != rank)
      throw Invalid("input 'output_shape': expected " + std::to_string(rank) + " values, got " +
                    std::to_string(known->size()));
    return *known;
  }
  Ints r;
  for (size_t i = 0; i < rank; i++)
    r.push_back(n.integer_of(n.call("aten::select.int", {shape, 0, static_cast<int64_t>(i)})));
  return r;
}

// The indices count in the shape that kernel, strides and pads imply; a given output_shape only
// appends zeros to that.
void max_unpool(Node& n) {
  const Value x = n.input(0), at = n.input(1), output_shape = n.maybe_input(2);
  const std::vector<int64_t> kernel = n.integers("kernel_shape");
  const size_t axes = kernel.size();
  const std::vector<int64_t> strides = n.integers("strides", std::vector<int64_t>(axes, 1)),
                             pads = n.integers("pads", std::vector<int64_t>(2 * axes, 0));
  Ints shape{n.dim(x, 0), n.dim(x, 1)};
  for (size_t i = 0; i < axes; i++) {
    const Int last = n.mul(n.sub(n.dim(x, static_cast<int64_t>(i) + 2), 1), strides[i]);
    shape.push_back(n.add(last, kernel[i] - pads[i] - pads[axes + i]));
  }
  const Value zeros = n.call("aten::new_zeros", {x, Ints{n.product(shape)}});
  const Ints flat{-1};
  Value y = n.call("aten::scatter.src", {zeros, 0, n.call("aten::reshape", {at, flat}),
                                         n.call("aten::reshape", {x, flat})});
  y = n.call("aten::reshape", {y, shape});
  if (output_shape) {
    const Ints wanted = shape_of_rank(n, output_shape, shape.size());
    Ints end;
    for (size_t i = 0; i < shape.size(); i++) end.push_back(n.sub(wanted[i], shape[i]));
    y = padded(n, y, {Ints(shape.size(), 0), end});
  }
  n.output(y);
}

constexpr o2fx_op kOps[] = {
    op("AveragePool", 1, lower<average_pool>),
    op("GlobalAveragePool", 1, lower<global_average_pool>),
    op("GlobalLpPool", 1, lower<global_lp_pool>),
    op("GlobalMaxPool", 1, lower<global_max_pool>),
    op("LpPool", 1, lower<lp_pool>),
    op("MaxPool", 1, lower<max_pool>),
    op("MaxUnpool", 9, lower<max_unpool>),
};

}  // namespace

const Family kPool = family(kOps);
