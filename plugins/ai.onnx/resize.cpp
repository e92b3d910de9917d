// Resize and Upsample: each axis by itself, by indices and weights that the program computes from
// its sizes, scales and regions, which may all be known only at run time.
#include "plugins/ai.onnx/resize.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/conversion.hpp"
#include "plugins/lowering/movement.hpp"
#include "plugins/lowering/sizes.hpp"

using namespace onnx2fx;

namespace {

// ---- what the node says ----

// The first of the words where the attribute is not there.
std::string one_of(Node& n, const char* attribute, Words words) {
  return onnx2fx::one_of(n, attribute, words, *words.begin());
}

Resizing read_attributes(Node& n) {
  Resizing r;
  r.mode = one_of(n, "mode", {"nearest", "linear", "cubic"});
  r.coordinates =
      one_of(n, "coordinate_transformation_mode",
             {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
              "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"});
  r.nearest =
      one_of(n, "nearest_mode", {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
  r.policy = one_of(n, "keep_aspect_ratio_policy", {"stretch", "not_larger", "not_smaller"});
  r.cubic_coeff = n.real("cubic_coeff_a", -0.75);
  r.exclude_outside = n.flag("exclude_outside", false);
  r.antialias = n.flag("antialias", false);
  r.extrapolation = n.real("extrapolation_value", 0.0);
  if (r.antialias && r.mode == "nearest")
    throw Invalid("attribute 'antialias': expected 0 with mode 'nearest', got 1");
  return r;
}

std::vector<int64_t> read_axes(Node& n, int64_t rank) {
  std::vector<int64_t> axes = n.integers("axes");
  for (int64_t& a : axes) a = Node::axis(a, rank);
  if (axes.empty())
    for (int64_t i = 0; i < rank; i++) axes.push_back(i);
  return axes;
}

// An input that is there and not empty.
bool is_given(Node& n, Value v) { return v && !(n.info(v).raw.rank == 1 && n.dim(v, 0).is(0)); }

// One number per axis, out of `count`, of which `from` come first.
Reals read_reals(Node& n, Value v, const char* name, size_t axes, size_t from, size_t count) {
  const auto known = n.constant_reals(v);
  if (known && known->size() != count)
    throw Invalid("input '" + std::string(name) + "': expected " + std::to_string(count) +
                  " values, got " + std::to_string(known->size()));
  Reals r;
  for (size_t i = 0; i < axes; i++)
    if (known)
      r.push_back((*known)[from + i]);
    else
      r.push_back(Real(n, n.call("aten::select.int", {v, 0, static_cast<int64_t>(from + i)})));
  return r;
}

// ---- extents ----

int64_t whole(double extent) {
  if (!(std::abs(extent) < 0x1p53))
    throw Invalid("expected an extent below 2^53, got " + std::to_string(extent));
  return static_cast<int64_t>(extent);
}

Int as_int(Node& n, Real r) {
  if (r.known()) return whole(r.literal());
  return n.integer_of(r.call("aten::to.dtype", {Dtype{kInt64}}).tensor());
}

// Whether floor(n * scale) is floor(n * p / q) at every extent that comes up, though the product is
// rounded.
bool same_extents(float scale, int64_t p, int64_t q) {
  for (int64_t n = 0; n <= 65536; n++)
    if (static_cast<int64_t>(std::floor(static_cast<float>(n) * scale)) != n * p / q) return false;
  return true;
}

// floor(in * scale) in single precision, as ONNX's shape inference has it. A scale that is the
// rounded p / q multiplies in integers, if that gives the same.
Int scaled(Node& n, const Int& in, const Real& scale) {
  if (scale.known()) {
    const auto single = static_cast<float>(scale.literal());
    if (in.known()) return whole(std::floor(static_cast<float>(in.literal()) * single));
    for (int64_t q = 1; q <= 4096; q++) {
      const double p = std::round(scale.literal() * static_cast<double>(q));
      if (!(std::abs(p) < 0x1p40)) break;
      if (static_cast<float>(p / static_cast<double>(q)) != single) continue;
      if (!same_extents(single, static_cast<int64_t>(p), q)) break;
      return n.floordiv(n.mul(in, static_cast<int64_t>(p)), q);
    }
  }
  const Value extent = n.call("aten::to.dtype", {n.int_tensor(in), Dtype{kFloat}});
  const Value product = scale.known()
                            ? n.call("aten::mul.Scalar", {extent, scale.literal()})
                            : n.call("aten::mul.Tensor", {extent, n.cast(scale.tensor(), kFloat)});
  return as_int(n, Real::as_is(n, n.call("aten::floor", {product})));
}

void by_scales(Node& n, Value x, Reals scales, std::vector<ResizedAxis>& axes) {
  for (size_t i = 0; i < axes.size(); i++) {
    ResizedAxis& a = axes[i];
    a.in = n.dim(x, a.axis);
    if (scales[i].known() && scales[i].literal() <= 0)
      throw Invalid("input 'scales': expected positive values, got " +
                    std::to_string(scales[i].literal()));
    a.out = scaled(n, a.in, scales[i]);
    a.scale = scales[i];
    a.width = scales[i].is(1) ? Real(n, a.out) : scales[i] * Real(n, a.in);
  }
}

void by_sizes(Node& n, Value x, const Ints& sizes, std::vector<ResizedAxis>& axes) {
  if (sizes.size() != axes.size())
    throw Invalid("input 'sizes': expected " + std::to_string(axes.size()) + " values, got " +
                  std::to_string(sizes.size()));
  for (size_t i = 0; i < axes.size(); i++) {
    axes[i].in = n.dim(x, axes[i].axis);
    axes[i].out = sizes[i];
  }
}

// All axes by the one scale that fits the sizes.
void keep_ratio(Node& n, bool larger, std::vector<ResizedAxis>& axes) {
  Real scale = Real(n, axes[0].out) / Real(n, axes[0].in);
  for (size_t i = 1; i < axes.size(); i++) {
    const Real next = Real(n, axes[i].out) / Real(n, axes[i].in);
    if (scale.known() && next.known())
      scale = larger ? std::max(scale.literal(), next.literal())
                     : std::min(scale.literal(), next.literal());
    else if (scale.known())
      scale = next.call(larger ? "aten::clamp_min" : "aten::clamp_max", {scale.literal()});
    else if (next.known())
      scale = scale.call(larger ? "aten::clamp_min" : "aten::clamp_max", {next.literal()});
    else
      scale = scale.call(larger ? "aten::maximum" : "aten::minimum", {next.tensor()});
  }
  for (ResizedAxis& a : axes) {
    a.scale = scale;
    a.width = scale * Real(n, a.in);
    a.out = as_int(n, a.width + 0.5);
  }
}

// ---- one axis ----

Real places(Node& n, const Int& start, const Int& end, Value beside) {
  return Real::as_is(n, arange_from(n, start, end, beside, kDouble));
}

// 1 - |x|, or Keys' cubic with the coefficient a, where they are positive or |x| < 2.
Real kernel(Node& n, const Real& distance, bool cubic, double a) {
  const Real x = distance.call("aten::abs");
  if (!cubic) return (1.0 - x).call("aten::clamp_min", {0});
  const Real near = (x * (a + 2) - (a + 3)) * x * x + 1.0;
  const Real far = ((x * a - 5 * a) * x + 8 * a) * x - 4 * a;
  const Real tail(
      n, n.call("aten::mul.Tensor", {far.tensor(), n.call("aten::lt.Scalar", {x.tensor(), 2})}));
  const Value inner = n.call("aten::le.Scalar", {x.tensor(), 1});
  return Real::as_is(n, n.call("aten::where.self", {inner, near.tensor(), tail.tensor()}));
}

// How far the kernel reaches at either side, in elements of the input.
Int reach(Node& n, const Resizing& r, const ResizedAxis& a) {
  const int64_t support = r.mode == "cubic" ? 2 : 1;
  if (!r.antialias) return support;
  if (!a.scale) return n.max(sizes::ceildiv(n, n.mul(support, a.in), a.out), support);
  const Real wide = static_cast<double>(support) / *a.scale;
  if (wide.known())
    return static_cast<int64_t>(std::ceil(std::max(wide.literal(), static_cast<double>(support))));
  return as_int(n, wide.call("aten::clamp_min", {support}).call("aten::ceil"));
}

// The weighted mean of the elements around each source.
Value interpolated(Node& n, const Resizing& r, const ResizedAxis& a, Value x, const Real& source) {
  const Int last = n.sub(a.in, 1), half = reach(n, r, a);
  const Real left = source.call("aten::floor"),
             rest = (source - left).call("aten::unsqueeze", {-1});
  const Real taps = places(n, n.sub(1, half), n.add(half, 1), x);
  Real distance = taps - rest;
  if (r.antialias) {
    const Real scale = a.scale ? *a.scale : Real(n, a.out) / Real(n, a.in);
    distance = distance * (scale.known() ? Real(std::min(scale.literal(), 1.0))
                                         : scale.call("aten::clamp_max", {1.0}));
  }
  Real weight = kernel(n, distance, r.mode == "cubic", r.cubic_coeff);
  const Real at = left.call("aten::unsqueeze", {-1}) + taps;
  const Real inside = at.call("aten::clamp", {0, last});
  if (r.exclude_outside)
    weight = Real(
        n, n.call("aten::mul.Tensor",
                  {weight.tensor(), n.call("aten::eq.Tensor", {at.tensor(), inside.tensor()})}));
  if (r.exclude_outside || r.antialias)
    weight = weight / weight.call("aten::sum.dim_IntList", {Ints{-1}, true});
  const Value index = n.call("aten::flatten.using_ints",
                             {n.call("aten::to.dtype", {inside.tensor(), Dtype{kInt64}})});
  Value y = n.call("aten::index_select", {x, a.axis, index});
  y = n.call("aten::unflatten.int", {y, a.axis, Ints{a.out, n.mul(half, 2)}});
  Ints shape{a.out, n.mul(half, 2)};
  shape.resize(static_cast<size_t>(n.rank(x) - a.axis) + 1, 1);
  const Value factors =
      n.call("aten::reshape", {n.call("aten::to.other", {weight.tensor(), x}), shape});
  return n.call("aten::sum.dim_IntList",
                {n.call("aten::mul.Tensor", {y, factors}), Ints{a.axis + 1}});
}

Real nearest_of(Node& n, const Resizing& r, const ResizedAxis& a, const Real& source) {
  if (r.nearest == "simple") {
    const Real scale = a.scale ? *a.scale : Real(n, a.out) / Real(n, a.in);
    if (scale.known()) return source.call(scale.literal() < 1 ? "aten::ceil" : "aten::floor");
    const Value down = n.call("aten::lt.Scalar", {scale.tensor(), 1});
    return Real::as_is(n, n.call("aten::where.self", {down, source.call("aten::ceil").tensor(),
                                                      source.call("aten::floor").tensor()}));
  }
  if (r.nearest == "floor" || r.nearest == "ceil") return source.call("aten::" + r.nearest);
  return r.nearest == "round_prefer_floor" ? (source - 0.5).call("aten::ceil")
                                           : (source + 0.5).call("aten::floor");
}

Value picked(Node& n, const Resizing& r, const ResizedAxis& a, Value x, const Real& source) {
  const Real at = nearest_of(n, r, a, source).call("aten::clamp", {0, n.sub(a.in, 1)});
  return n.call("aten::index_select",
                {x, a.axis, n.call("aten::to.dtype", {at.tensor(), Dtype{kInt64}})});
}

Value along(Node& n, const Resizing& r, const ResizedAxis& a, Value x) {
  const Real source = source_of(n, r, a, places(n, 0, a.out, x));
  return r.mode == "nearest" ? picked(n, r, a, x, source) : interpolated(n, r, a, x, source);
}

// What lies outside of x gets the attribute's value.
Value extrapolated(Node& n, const Resizing& r, const ResizedAxis& a, Value x) {
  const Value source = source_of(n, r, a, places(n, 0, a.out, x)).tensor();
  Value out = n.call("aten::logical_or", {n.call("aten::lt.Scalar", {source, 0}),
                                          n.call("aten::gt.Scalar", {source, n.sub(a.in, 1)})});
  Ints shape{a.out};
  shape.resize(static_cast<size_t>(n.rank(x) - a.axis), 1);
  out = n.call("aten::reshape", {out, shape});
  return n.call("aten::masked_fill.Scalar", {x, out, r.extrapolation});
}

// ---- all axes ----

Value along_all(Node& n, const Resizing& r, Value x) {
  const std::vector<ResizedAxis> changed = changed_axes(r);
  for (const ResizedAxis& a : changed) x = along(n, r, a, x);
  if (r.coordinates == "tf_crop_and_resize")
    for (const ResizedAxis& a : changed) x = extrapolated(n, r, a, x);
  return x;
}

Value nearest(Node& n, const Resizing& r, Value x) {
  const int32_t dtype = n.info(x).raw.dtype;
  if (r.coordinates == "tf_crop_and_resize" && (dtype == kString || signed_twin(dtype)))
    throw Unsupported(
        "attribute 'coordinate_transformation_mode': expected another value than "
        "tf_crop_and_resize for elements of this type");
  return moved(n, {x}, Elements::kBits,
               [&](const Values& v) { return Values{along_all(n, r, v[0])}; })[0];
}

Value weighted(Node& n, const Resizing& r, Value x) {
  const int32_t dtype = n.dtype(x);
  if (dtype == kString || dtype == kBool || is_complex(dtype))
    throw Unsupported("attribute 'mode': expected 'nearest' for elements of this type");
  if (dtype == kFloat || dtype == kDouble) return along_all(n, r, x);
  const bool wide = is_integer(dtype) && bits_in(dtype) > 16;
  Value y = along_all(n, r, n.call("aten::to.dtype", {x, Dtype{wide ? kDouble : kFloat}}));
  if (is_integer(dtype)) {
    const IntegerRange range =
        bits_in(dtype) > 32
            ? IntegerRange{std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}
            : range_of(dtype);
    y = n.call("aten::clamp", {n.call("aten::round", {y}), range.least, range.greatest});
  }
  return n.call("aten::to.dtype", {y, Dtype{dtype}});
}

Value resized(Node& n, const Resizing& r, Value x) {
  if (std::all_of(r.axes.begin(), r.axes.end(), [&](const auto& a) { return stays(r, a); }))
    return x;
  if (const Value y = by_aten(n, r, x)) return y;
  return r.mode == "nearest" ? nearest(n, r, x) : weighted(n, r, x);
}

// ---- the operators ----

void resize(Node& n) {
  const Value x = n.input(0), roi = n.maybe_input(1), scales = n.maybe_input(2),
              sizes = n.maybe_input(3);
  Resizing r = read_attributes(n);
  for (const int64_t a : read_axes(n, n.rank(x))) r.axes.push_back({a});
  const size_t count = r.axes.size();
  if (is_given(n, sizes)) {
    by_sizes(n, x, n.ints(sizes), r.axes);
    if (r.policy != "stretch") keep_ratio(n, r.policy == "not_smaller", r.axes);
  } else if (is_given(n, scales)) {
    by_scales(n, x, read_reals(n, scales, "scales", count, 0, count), r.axes);
  } else {
    throw Invalid("expected input 'scales' or 'sizes', got neither");
  }
  if (r.coordinates == "tf_crop_and_resize") {
    if (!is_given(n, roi)) throw Invalid("input 'roi': expected a value with tf_crop_and_resize");
    const Reals start = read_reals(n, roi, "roi", count, 0, 2 * count),
                end = read_reals(n, roi, "roi", count, count, 2 * count);
    for (size_t i = 0; i < count; i++) {
      r.axes[i].start = start[i];
      r.axes[i].end = end[i];
    }
  }
  n.output(resized(n, r, x));
}

// Upsample, and Resize of opset 10: always asymmetric.
void simple(Node& n, const Reals& scales) {
  const Value x = n.input(0);
  Resizing r;
  r.mode = one_of(n, "mode", {"nearest", "linear", "bilinear"});
  if (r.mode == "bilinear") r.mode = "linear";
  r.coordinates = "asymmetric";
  r.nearest = "simple";
  for (int64_t i = 0; i < n.rank(x); i++) r.axes.push_back({i});
  if (scales.size() != r.axes.size())
    throw Invalid("scales: expected " + std::to_string(r.axes.size()) + " values, got " +
                  std::to_string(scales.size()));
  by_scales(n, x, scales, r.axes);
  n.output(resized(n, r, x));
}

void simple_resize(Node& n) {
  const size_t rank = static_cast<size_t>(n.rank(n.input(0)));
  simple(n, read_reals(n, n.input(1), "scales", rank, 0, rank));
}
void upsample_1(Node& n) { simple(n, {1.0, 1.0, n.real("height_scale"), n.real("width_scale")}); }
void upsample_7(Node& n) {
  const std::vector<double> scales = n.reals("scales");
  simple(n, Reals(scales.begin(), scales.end()));
}

constexpr o2fx_op kOps[] = {
    op("Resize", 10, lower<simple_resize>, 10), op("Resize", 11, lower<resize>),
    op("Upsample", 1, lower<upsample_1>, 6),    op("Upsample", 7, lower<upsample_7>, 8),
    op("Upsample", 9, lower<simple_resize>, 9),
};

}  // namespace

const Family kResize = family(kOps);
