// What of Resize ATen's upsampling kernels do.
#include <algorithm>
#include <cmath>

#include "plugins/ai.onnx/resize.hpp"
#include "plugins/ai.onnx/sizes.hpp"

using namespace onnx2fx;

bool stays(const Resizing& r, const ResizedAxis& a) {
  if (r.coordinates == "tf_crop_and_resize" && !(a.start.is(0) && a.end.is(1))) return false;
  return a.out == a.in && (!a.scale || a.scale->is(1));
}

// 1 - 1 / 0 by the condition that the resized axis is one element long.
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

Value by_aten(Node&, const Resizing&, Value) { return {}; }
