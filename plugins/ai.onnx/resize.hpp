// The geometry of Resize: what an axis becomes, and where in the input each element of the output
// has its source.
#ifndef ONNX2FX_PLUGINS_AI_ONNX_RESIZE_HPP_
#define ONNX2FX_PLUGINS_AI_ONNX_RESIZE_HPP_

#include <optional>
#include <string>
#include <vector>

#include "plugins/lowering/real.hpp"

using Reals = std::vector<onnx2fx::Real>;

struct ResizedAxis {
  int64_t axis = 0;
  onnx2fx::Int in = 0, out = 0;
  std::optional<onnx2fx::Real> scale = {};  // none: out / in
  onnx2fx::Real width = 0.0;                // in * scale, of which `out` is the whole part
  onnx2fx::Real start = 0.0, end = 1.0;     // the region, for tf_crop_and_resize
};

struct Resizing {
  std::string mode, coordinates, nearest, policy;
  double cubic_coeff = -0.75, extrapolation = 0;
  bool exclude_outside = false, antialias = false;
  std::vector<ResizedAxis> axes;
};

// The axis comes out as it goes in.
bool stays(const Resizing& r, const ResizedAxis& a);
// The others.
std::vector<ResizedAxis> changed_axes(const Resizing& r);
// The places in the input of the places `y` (a literal or a tensor) of the output.
onnx2fx::Real source_of(onnx2fx::Node& n, const Resizing& r, const ResizedAxis& a,
                        const onnx2fx::Real& y);
// x resized by one of ATen's own kernels; none if none does just that.
onnx2fx::Value by_aten(onnx2fx::Node& n, const Resizing& r, onnx2fx::Value x);

#endif
