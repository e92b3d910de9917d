#include "plugins/lowering/windows.hpp"

#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/padding.hpp"

namespace onnx2fx {

bool Windows::is_dilated() const {
  for (const int64_t d : dilations)
    if (d != 1) return true;
  return false;
}

bool Windows::is_padded() const {
  for (size_t i = 0; i < axes; i++)
    if (!begin[i].is(0) || !end[i].is(0)) return true;
  return false;
}

bool Windows::is_even() const {
  for (size_t i = 0; i < axes; i++)
    if (!begin[i].known() || begin[i].literal() < 0 || !(begin[i] == end[i])) return false;
  return true;
}

Int Windows::reach(Node& n, size_t axis) const {
  return n.add(n.mul(n.sub(kernel[axis], 1), dilations[axis]), 1);
}

std::string read_auto_pad(Node& n) {
  std::string mode = n.text("auto_pad", "NOTSET");
  if (mode.empty()) return "NOTSET";
  place_among("auto_pad", mode, {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"});
  return mode;
}

Ints kernel_of(Node& n, Value weight) {
  const std::vector<int64_t> stated = n.integers("kernel_shape");
  const size_t axes = stated.empty() ? static_cast<size_t>(n.rank(weight, 3)) - 2 : stated.size();
  if (axes > 3) throw Unsupported("expected 1 to 3 spatial axes, got " + std::to_string(axes));
  Ints kernel(stated.begin(), stated.end());
  if (!stated.empty() && !n.rank_known(weight)) return kernel;
  for (size_t i = 0; i < axes; i++) {
    const Int extent = n.dim(weight, static_cast<int64_t>(i) + 2);
    if (stated.empty())
      kernel.push_back(extent);
    else if (extent.known() && !(extent == kernel[i]))
      throw Invalid("attribute 'kernel_shape': expected the weight's " +
                    std::to_string(extent.literal()) + ", got " + std::to_string(stated[i]));
  }
  return kernel;
}

static void positive(const char* name, const std::vector<int64_t>& values) {
  for (const int64_t v : values)
    if (v < 1)
      throw Invalid("attribute '" + std::string(name) + "': expected positive values, got " +
                    std::to_string(v));
}

// What makes the output ceil(input / stride) long.
static Int same_padding(Node& n, Value x, const Windows& w, size_t axis) {
  const Int stride = w.strides[axis], reach = w.reach(n, axis);
  if (stride.is(1)) return n.sub(reach, 1);
  const Int in = n.dim(x, static_cast<int64_t>(axis) + 2);
  const Int last = n.mul(n.floordiv(n.sub(in, 1), stride), stride);  // where the last window starts
  return n.max(n.sub(n.add(last, reach), in), 0);
}

Windows read_windows(Node& n, Value x, const Ints& kernel) {
  Windows w;
  w.axes = kernel.size();
  w.kernel = kernel;
  const std::vector<int64_t> ones(w.axes, 1);
  w.strides = n.integers("strides", ones);
  w.dilations = n.integers("dilations", ones);
  positive("strides", w.strides);
  positive("dilations", w.dilations);
  w.auto_pad = read_auto_pad(n);
  const std::vector<int64_t> pads = n.integers("pads", std::vector<int64_t>(2 * w.axes, 0));
  for (size_t i = 0; i < w.axes; i++) {
    const bool set = w.auto_pad == "NOTSET";
    w.begin.push_back(set ? pads[i] : 0);
    w.end.push_back(set ? pads[i + w.axes] : 0);
    if (set || w.auto_pad == "VALID") continue;
    const Int total = same_padding(n, x, w, i), half = n.floordiv(total, 2),
              rest = n.sub(total, half);
    w.begin[i] = w.auto_pad == "SAME_UPPER" ? half : rest;
    w.end[i] = w.auto_pad == "SAME_UPPER" ? rest : half;
  }
  return w;
}

Ints even_padding(Node& n, Value& x, const Windows& w) {
  if (w.is_even()) return w.begin;
  x = padded(n, x, {w.begin, w.end});
  return Ints(w.axes, 0);
}

}  // namespace onnx2fx
