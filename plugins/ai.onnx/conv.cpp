// Convolutions: Conv, ConvTranspose, DeformConv.
#include <algorithm>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/padding.hpp"
#include "plugins/lowering/windows.hpp"

using namespace onnx2fx;

namespace {

// Weight (input 1) and bias are what a convolution learns.
void claim(Node& n, Value weight, Value bias) {
  n.role(weight, O2FX_ROLE_PARAMETER);
  if (bias) n.role(bias, O2FX_ROLE_PARAMETER);
}

void conv(Node& n) {
  static constexpr const char* kTargets[] = {"aten::conv1d", "aten::conv2d", "aten::conv3d"};
  Value x = n.input(0);
  const Value weight = n.input(1), bias = n.maybe_input(2);
  claim(n, weight, bias);
  const Windows w = read_windows(n, x, kernel_of(n, weight));
  const Ints padding = even_padding(n, x, w);
  n.output(n.call(kTargets[w.axes - 1],
                  {x, weight, bias, w.strides, padding, w.dilations, n.integer("group", 1)}));
}

// ---- ConvTranspose ----

// The full result, before `begin` and `end` are cropped off it (or, where negative, added).
struct Transposed {
  Windows w;
  std::vector<int64_t> output_padding;
};

// output_shape, and SAME, say the size of the result and leave the padding to follow from it.
void padding_from_shape(Node& n, Value x, Transposed& t, const std::vector<int64_t>& shape) {
  const bool upper = t.w.auto_pad == "SAME_UPPER";
  for (size_t i = 0; i < t.w.axes; i++) {
    const Int stride = t.w.strides[i], extra = n.add(t.w.reach(n, i), t.output_padding[i]);
    const Int in = shape.empty() ? Int(0) : n.dim(x, static_cast<int64_t>(i) + 2);
    // SAME: output = input * stride, as far as the kernel reaches
    const Int total = shape.empty() ? n.max(n.sub(extra, stride), 0)
                                    : n.sub(n.add(n.mul(n.sub(in, 1), stride), extra),
                                            shape[shape.size() - t.w.axes + i]);
    const Int cut = n.max(total, 0), half = n.floordiv(cut, 2);
    t.w.begin[i] = upper ? half : n.sub(cut, half);
    t.w.end[i] = n.sub(total, t.w.begin[i]);
  }
}

Transposed read_transposed(Node& n, Value x, Value weight) {
  Transposed t{read_windows(n, x, kernel_of(n, weight)), {}};
  t.output_padding = n.integers("output_padding", std::vector<int64_t>(t.w.axes, 0));
  const std::vector<int64_t> shape = n.integers("output_shape");
  if (!shape.empty() && shape.size() != t.w.axes && shape.size() != t.w.axes + 2)
    throw Invalid("attribute 'output_shape': expected " + std::to_string(t.w.axes) +
                  " values, got " + std::to_string(shape.size()));
  if (!shape.empty() || t.w.auto_pad.starts_with("SAME")) padding_from_shape(n, x, t, shape);
  return t;
}

// ATen crops both ends alike and adds less than a step at the end. True if that says it all.
bool fits_aten(const Transposed& t, Ints& padding, Ints& extra) {
  for (size_t i = 0; i < t.w.axes; i++) {
    const Int &begin = t.w.begin[i], &end = t.w.end[i];
    if (!begin.known() || !end.known() || begin.literal() < 0) return false;
    const int64_t more = t.output_padding[i] + begin.literal() - end.literal();
    if (more < 0 || more >= std::max(t.w.strides[i], t.w.dilations[i])) return false;
    padding.push_back(begin);
    extra.push_back(more);
  }
  return true;
}

void conv_transpose(Node& n) {
  static constexpr const char* kTargets[] = {
      "aten::conv_transpose1d", "aten::conv_transpose2d.input", "aten::conv_transpose3d.input"};
  const Value x = n.input(0), weight = n.input(1), bias = n.maybe_input(2);
  claim(n, weight, bias);
  const Transposed t = read_transposed(n, x, weight);
  const char* target = kTargets[t.w.axes - 1];
  const int64_t group = n.integer("group", 1);
  Ints padding, extra;
  if (fits_aten(t, padding, extra))
    return n.output(
        n.call(target, {x, weight, bias, t.w.strides, padding, extra, group, t.w.dilations}));
  const Ints none(t.w.axes, 0);
  Ints begin, end;
  for (size_t i = 0; i < t.w.axes; i++) {
    begin.push_back(n.sub(0, t.w.begin[i]));
    end.push_back(n.sub(t.output_padding[i], t.w.end[i]));
  }
  const Value full =
      n.call(target, {x, weight, nullptr, t.w.strides, none, none, group, t.w.dilations});
  const Value y = padded(n, full, {begin, end});
  n.output(
      bias ? n.call("aten::add.Tensor", {y, along(n, bias, 0, static_cast<int64_t>(t.w.axes) + 1)})
           : y);
}

// ---- DeformConv ----
// Each tap of the kernel reads x at its own place plus a learnt offset, by linear interpolation;
// what remains is a product of matrices per group. Places are in pixels: aten::grid_sampler's,
// relative to the image, lose digits.

struct Deform {
  Windows w;
  Int batch, channels, offset_groups, taps, points;
  Ints out;  // spatial extents of the result
};

// [1..., size, ...1] with the arange * step + start along `axis` of `rank`.
Value places(Node& n, Value like, const Int& size, int64_t step, const Int& start, size_t axis,
             size_t rank) {
  Value v = arange(n, size, like, kFloat);
  if (step != 1) v = n.call("aten::mul.Scalar", {v, step});
  if (!start.is(0)) v = n.call("aten::add.Scalar", {v, start});
  return along(n, v, static_cast<int64_t>(axis), static_cast<int64_t>(rank));
}

// Where each tap of each window reads along one axis: (N * offset groups, kernel..., out...).
Value position(Node& n, const Deform& d, Value offset, size_t axis) {
  const size_t axes = d.w.axes, rank = 2 * axes;
  const Value p = n.call("aten::select.int",
                         {offset, static_cast<int64_t>(axes) + 1, static_cast<int64_t>(axis)});
  const Value tap = places(n, offset, d.w.kernel[axis], d.w.dilations[axis],
                           n.sub(0, d.w.begin[axis]), axis, rank);
  const Value window = places(n, offset, d.out[axis], d.w.strides[axis], 0, axes + axis, rank);
  return n.call("aten::add.Tensor", {p, n.call("aten::add.Tensor", {tap, window})});
}

// One of the two elements around a position: how much it counts (0 beyond the edge), and where it
// is.
struct Neighbour {
  Value weight, index;
};

Neighbour neighbour(Node& n, Value p, Value floor, bool upper, const Int& size) {
  const Value at = upper ? n.call("aten::add.Scalar", {floor, 1}) : floor;
  Value share = n.call("aten::sub.Tensor", {p, floor});
  if (!upper) share = n.call("aten::rsub.Scalar", {share, 1});
  const Value inside = n.call("aten::logical_and", {n.call("aten::ge.Scalar", {at, 0}),
                                                    n.call("aten::lt.Scalar", {at, size})});
  const Value weight = n.call("aten::where.ScalarOther", {inside, share, 0.0});
  const Value index = n.call("aten::clamp", {at, 0, n.sub(size, 1)});
  return {weight, n.call("aten::to.dtype", {index, Dtype{kInt64}})};
}

// The 2^axes neighbours of all positions, indices into the flat image.
std::vector<Neighbour> neighbours(Node& n, const Deform& d, Value offset) {
  std::vector<Neighbour> all{{}};
  for (size_t i = 0; i < d.w.axes; i++) {
    const Int size = n.dim(n.input(0), static_cast<int64_t>(i) + 2);
    const Value p = position(n, d, offset, i), floor = n.call("aten::floor", {p});
    std::vector<Neighbour> more;
    for (const bool upper : {false, true}) {
      const Neighbour one = neighbour(n, p, floor, upper, size);
      for (const Neighbour& before : all) {
        if (!before.weight) {
          more.push_back(one);
          continue;
        }
        const Value row = n.call("aten::mul.Scalar", {before.index, size});
        more.push_back({n.call("aten::mul.Tensor", {before.weight, one.weight}),
                        n.call("aten::add.Tensor", {row, one.index})});
      }
    }
    all = more;
  }
  return all;
}

// (N, C, taps, points): x read at all positions.
Value sampled(Node& n, const Deform& d, Value x, Value offset) {
  const Int images = n.mul(d.batch, d.offset_groups);
  const Int depth = n.floordiv(d.channels, d.offset_groups);
  Ints shape{images};
  shape.insert(shape.end(), d.w.kernel.begin(), d.w.kernel.end());
  shape.push_back(static_cast<int64_t>(d.w.axes));
  shape.insert(shape.end(), d.out.begin(), d.out.end());
  offset = n.call("aten::reshape", {offset, shape});
  x = n.call("aten::reshape", {x, Ints{images, depth, -1}});
  const Ints flat{images, 1, n.mul(d.taps, d.points)}, wide{images, depth, flat[2]};
  Value sum;
  for (const Neighbour& one : neighbours(n, d, offset)) {
    const Value index = n.call("aten::expand", {n.call("aten::reshape", {one.index, flat}), wide});
    const Value part = n.call("aten::mul.Tensor", {n.call("aten::gather", {x, 2, index}),
                                                   n.call("aten::reshape", {one.weight, flat})});
    sum = sum ? n.call("aten::add.Tensor", {sum, part}) : part;
  }
  return n.call("aten::reshape", {sum, Ints{d.batch, d.channels, d.taps, d.points}});
}

Value masked(Node& n, const Deform& d, Value columns, Value mask) {
  const Ints grouped{d.batch, d.offset_groups, n.floordiv(d.channels, d.offset_groups), d.taps,
                     d.points};
  const Value m =
      n.call("aten::reshape", {mask, Ints{d.batch, d.offset_groups, 1, d.taps, d.points}});
  return n.call("aten::mul.Tensor", {n.call("aten::reshape", {columns, grouped}), m});
}

void deform_conv(Node& n) {
  Value x = n.input(0), weight = n.input(1), offset = n.input(2), bias = n.maybe_input(3),
        mask = n.maybe_input(4);
  claim(n, weight, bias);
  const int32_t dtype = n.dtype(x), wide = dtype == kDouble ? kDouble : kFloat;
  Deform d{read_windows(n, x, kernel_of(n, weight)),
           n.dim(x, 0),
           n.dim(x, 1),
           n.integer("offset_group", 1),
           1,
           1,
           {}};
  for (size_t i = 0; i < d.w.axes; i++) d.out.push_back(n.dim(offset, static_cast<int64_t>(i) + 2));
  d.taps = n.product(d.w.kernel);
  d.points = n.product(d.out);
  const Int group = n.integer("group", 1), filters = n.dim(weight, 0);
  Value columns = sampled(n, d, n.cast(x, wide), n.cast(offset, wide));
  if (mask) columns = masked(n, d, columns, n.cast(mask, wide));
  const Int depth = n.mul(n.floordiv(d.channels, group), d.taps);
  columns = n.call("aten::reshape", {columns, Ints{d.batch, group, depth, d.points}});
  weight = n.call("aten::reshape",
                  {n.cast(weight, wide), Ints{group, n.floordiv(filters, group), depth}});
  Ints shape{d.batch, filters};
  shape.insert(shape.end(), d.out.begin(), d.out.end());
  Value y = n.call("aten::reshape", {n.call("aten::matmul", {weight, columns}), shape});
  if (bias)
    y = n.call("aten::add.Tensor",
               {y, along(n, n.cast(bias, wide), 0, static_cast<int64_t>(d.w.axes) + 1)});
  n.output(dtype == wide ? y : n.call("aten::to.dtype", {y, Dtype{dtype}}));
}

constexpr o2fx_op kOps[] = {
    op("Conv", 1, lower<conv>),
    op("ConvTranspose", 1, lower<conv_transpose>),
    op("DeformConv", 19, lower<deform_conv>),
};

}  // namespace

const Family kConv = family(kOps);
