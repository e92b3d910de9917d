// Where the places of a resized axis come from, and what of Resize ATen's upsampling kernels do.
#include <algorithm>
#include <cmath>

#include "plugins/ai.onnx/resize.hpp"
#include "plugins/lowering/sizes.hpp"

using namespace onnx2fx;

bool stays(const Resizing& r, const ResizedAxis& a) {
  if (r.coordinates == "tf_crop_and_resize" && !(a.start.is(0) && a.end.is(1))) return false;
  return a.out == a.in && (!a.scale || a.scale->is(1));
}

std::vector<ResizedAxis> changed_axes(const Resizing& r) {
  std::vector<ResizedAxis> changed;
  for (const ResizedAxis& a : r.axes)
    if (!stays(r, a)) changed.push_back(a);
  return changed;
}

// 1 if the resized axis is one element long, else 0.
static Real is_single(Node& n, const ResizedAxis& a) {
  if (!a.scale) return Real(n, sizes::is_equal(n, a.out, 1));
  if (a.width.known()) return a.width.is(1) ? 1.0 : 0.0;
  return Real(n, a.width.call("aten::eq.Scalar", {1}).tensor());
}

// width - 1; where that is nothing the only place is 0, and any divisor does.
static Real span_of(Node& n, const ResizedAxis& a) {
  constexpr double kLeast = 1e-30;
  if (!a.scale) return Real(n, n.max(n.sub(a.out, 1), 1));
  const Real span = a.width - 1.0;
  return span.known() ? Real(std::max(span.literal(), kLeast))
                      : span.call("aten::clamp_min", {kLeast});
}

Real source_of(Node& n, const Resizing& r, const ResizedAxis& a, const Real& y) {
  const auto unscaled = [&](const Real& v) {
    return a.scale ? v / *a.scale : v * Real(n, a.in) / Real(n, a.out);
  };
  const std::string& c = r.coordinates;
  if (c == "asymmetric") return unscaled(y);
  if (c == "tf_half_pixel_for_nn") return unscaled(y + 0.5);
  if (c == "half_pixel") return unscaled(y + 0.5) - 0.5;
  if (c == "pytorch_half_pixel") return (unscaled(y + 0.5) - 0.5) * (1.0 - is_single(n, a));
  if (c == "half_pixel_symmetric") {
    if (!a.scale) return unscaled(y + 0.5) - 0.5;
    const Real adjustment = Real(n, a.out) / a.width;
    return Real(n, a.in) * 0.5 * (1.0 - adjustment) + (unscaled(y + 0.5) - 0.5);
  }
  const Real last(n, n.sub(a.in, 1));
  if (c == "align_corners") return y * last / span_of(n, a);
  const Real place = y / span_of(n, a) + is_single(n, a) * 0.5;
  return place * (a.end - a.start) * last + a.start * last;
}

// ---- ATen's kernels ----

namespace {

// The scale as a whole number; 0 if it is none.
int64_t whole_scale(const ResizedAxis& a) {
  if (!a.scale || !a.scale->known() || a.scale->literal() < 1 || a.scale->literal() > 65536)
    return 0;
  const auto whole = static_cast<int64_t>(a.scale->literal());
  return a.scale->is(static_cast<double>(whole)) ? whole : 0;
}

double nearest_to(const Resizing& r, bool down, double x) {
  if (r.nearest == "simple") return down ? std::ceil(x) : std::floor(x);
  if (r.nearest == "floor") return std::floor(x);
  if (r.nearest == "ceil") return std::ceil(x);
  return r.nearest == "round_prefer_floor" ? std::ceil(x - 0.5) : std::floor(x + 0.5);
}

// ATen's element for the place y is floor(y * step), step and product in single precision.
bool picks_alike(Node& n, const Resizing& r, const ResizedAxis& a) {
  constexpr int64_t kMost = 1 << 16;
  const auto in = static_cast<double>(a.in.literal()), out = static_cast<double>(a.out.literal());
  if (a.out.literal() > kMost || in < 1) return false;
  const double scale = a.scale ? a.scale->literal() : out / in;
  const float step =
      a.scale ? static_cast<float>(1.0 / scale) : static_cast<float>(in) / static_cast<float>(out);
  for (int64_t y = 0; y < a.out.literal(); y++) {
    const auto place = static_cast<double>(y);
    const double wanted = nearest_to(r, scale < 1, source_of(n, r, a, place).literal());
    double got = std::floor(static_cast<float>(y) * step);
    if (out == in) got = place;
    if (out == 2 * in) got = std::floor(place / 2);
    if (std::clamp(wanted, 0.0, in - 1) != std::min(got, in - 1)) return false;
  }
  return true;
}

// A multiple of an extent that is not known: element y / scale, whichever way it is said.
bool multiplies(const Resizing& r, const ResizedAxis& a) {
  const int64_t scale = whole_scale(a);
  if (!scale) return false;
  const bool down = r.nearest == "floor" || r.nearest == "simple";
  const bool half = r.coordinates == "half_pixel" || r.coordinates == "half_pixel_symmetric" ||
                    r.coordinates == "pytorch_half_pixel";
  const bool fits =
      (r.coordinates == "asymmetric" && down) ||
      (r.coordinates == "tf_half_pixel_for_nn" && down) ||
      (half && r.nearest.starts_with("round")) ||
      (r.coordinates == "asymmetric" && scale == 2 && r.nearest == "round_prefer_floor");
  const float step = static_cast<float>(1.0 / static_cast<double>(scale));
  for (int64_t y = 0; fits && y < 1 << 16; y++)
    if (static_cast<int64_t>(static_cast<float>(y) * step) != y / scale) return false;
  return fits;
}

bool nearest_fits(Node& n, const Resizing& r, const ResizedAxis& a) {
  return a.in.known() && a.out.known() ? picks_alike(n, r, a) : multiplies(r, a);
}

bool weights_fit(const Resizing& r, const ResizedAxis& a) {
  const bool whole =
      !a.scale || whole_scale(a) ||
      (a.width.known() && a.out.known() && a.width.is(static_cast<double>(a.out.literal())));
  if (r.coordinates == "half_pixel") return true;
  if (r.coordinates == "pytorch_half_pixel")  // a single element is another than ATen's
    return (a.out.known() && a.out.literal() > 1) || a.in.is(1) || whole_scale(a);
  return whole && (r.coordinates == "half_pixel_symmetric" || r.coordinates == "align_corners");
}

std::string kernel_of(const Resizing& r, int32_t rank) {
  static constexpr const char* kNearest[] = {"1d", "2d", "3d"};
  static constexpr const char* kLinear[] = {"linear1d", "bilinear2d", "trilinear3d"};
  if (r.mode == "nearest") return "aten::upsample_nearest" + std::string(kNearest[rank - 3]);
  const bool cubic = r.mode == "cubic";
  if ((cubic || r.antialias) && rank != 4) return {};
  if (r.antialias) {  // ATen's weights end with the image, and its cubic is another
    const bool fits =
        r.exclude_outside && r.coordinates != "align_corners" && (!cubic || r.cubic_coeff == -0.5);
    if (!fits) return {};
    return cubic ? "aten::_upsample_bicubic2d_aa" : "aten::_upsample_bilinear2d_aa";
  }
  if (!cubic) return "aten::upsample_" + std::string(kLinear[rank - 3]);
  return r.exclude_outside || r.cubic_coeff != -0.75 ? "" : "aten::upsample_bicubic2d";
}

}  // namespace

// Whether torch, given the factor alone, comes to the same extent: in double precision, a whole one
// in integers.
static bool torch_scales_alike(const ResizedAxis& a) {
  if (whole_scale(a)) return true;
  return a.scale && a.in.known() && a.out.known() &&
         std::floor(static_cast<double>(a.in.literal()) * a.scale->literal()) ==
             static_cast<double>(a.out.literal());
}

// By sizes or by factors, as torch.nn.functional.interpolate calls them; where neither says it all,
// by both.
static Value upsampled(Node& n, const Resizing& r, Value x, const std::string& target,
                       const Ints& extents, const Args& scales) {
  Args args{x, extents};
  if (r.mode != "nearest") args.push_back(r.coordinates == "align_corners");
  const std::vector<ResizedAxis> changed = changed_axes(r);
  if (std::ranges::none_of(changed, [](const ResizedAxis& a) { return a.scale.has_value(); })) {
    args.push_back(nullptr);
    return n.call(target + ".vec", args);
  }
  if (!std::ranges::all_of(changed, torch_scales_alike)) {
    args.insert(args.end(), scales.begin(), scales.end());
    return n.call(target, args);
  }
  std::vector<double> factors(extents.size(), 1.0);
  for (const ResizedAxis& a : changed)
    factors[static_cast<size_t>(a.axis - 2)] = a.scale->literal();
  args[1] = nullptr;
  args.push_back(factors);
  return n.call(target + ".vec", args);
}

Value by_aten(Node& n, const Resizing& r, Value x) {
  const int32_t dtype = n.info(x).raw.dtype, rank = n.rank(x);
  const bool wide = dtype == kFloat || dtype == kDouble;
  const bool half = (dtype == kFloat16 || dtype == kBfloat16) && !r.antialias;
  if (!(wide || half) || rank < 3 || rank > 5) return {};
  const std::string target = kernel_of(r, rank);
  if (target.empty() || r.coordinates == "tf_crop_and_resize") return {};
  Ints extents;
  for (int32_t i = 2; i < rank; i++) extents.push_back(n.dim(x, i));
  Args scales(extents.size(), nullptr);
  for (const ResizedAxis& a : changed_axes(r)) {
    if (a.axis < 2 || a.out.is(0) || (a.scale && !a.scale->known())) return {};
    if (!(r.mode == "nearest" ? nearest_fits(n, r, a) : weights_fit(r, a))) return {};
    const auto at = static_cast<size_t>(a.axis - 2);
    extents[at] = a.out;
    if (a.scale) scales[at] = a.scale->literal();
  }
  return upsampled(n, r, x, target, extents, scales);
}
