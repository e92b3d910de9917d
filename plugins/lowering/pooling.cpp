#include "plugins/lowering/pooling.hpp"

#include <limits>

#include "plugins/lowering/padding.hpp"

namespace onnx2fx {

Pool read_pool(Node& n, Value x) {
  const std::vector<int64_t> kernel = n.integers("kernel_shape");
  if (kernel.empty()) throw Invalid("attribute 'kernel_shape': expected integers, got none");
  for (const int64_t k : kernel)
    if (k < 1)
      throw Invalid("attribute 'kernel_shape': expected positive values, got " + std::to_string(k));
  Pool p{x, read_windows(n, x, Ints(kernel.begin(), kernel.end())), n.flag("ceil_mode", false)};
  if (p.w.auto_pad.starts_with("SAME")) p.ceil = false;  // it says the size of the output
  return p;
}

bool fits_aten(const Pool& p) {
  if (p.w.axes > 3 || !p.w.is_even()) return false;
  for (size_t i = 0; i < p.w.axes; i++) {
    if (2 * p.w.begin[i].literal() > p.w.kernel[i].literal()) return false;
  }
  return true;
}

Ints whole_end(Node& n, const Pool& p) {
  if (!p.ceil) return p.w.end;
  Ints end;
  for (size_t i = 0; i < p.w.axes; i++) {
    const Int in = n.add(n.dim(p.x, static_cast<int64_t>(i) + 2), p.w.begin[i]),
              stride = p.w.strides[i];
    const Int reach = p.w.reach(n, i), room = n.sub(n.add(in, p.w.end[i]), reach);
    const Int last =
        n.min(n.floordiv(n.add(room, n.sub(stride, 1)), stride), n.floordiv(n.sub(in, 1), stride));
    end.push_back(n.sub(n.add(n.mul(last, stride), reach), in));
  }
  return end;
}

Value windows_of(Node& n, Value x, const Windows& w) {
  for (size_t i = 0; i < w.axes; i++) {
    x = n.call("aten::unfold", {x, static_cast<int64_t>(i) + 2, w.reach(n, i), w.strides[i]});
    if (w.dilations[i] != 1)
      x = n.call("aten::slice.Tensor", {x, static_cast<int64_t>(w.axes + i) + 2, 0,
                                        std::numeric_limits<int64_t>::max(), w.dilations[i]});
  }
  return x;
}

Ints taps(const Windows& w) {
  Ints r;
  for (size_t i = 0; i < w.axes; i++) r.push_back(static_cast<int64_t>(w.axes + i) + 2);
  return r;
}

Ints spatial(Node& n, Value x, size_t axes) {
  Ints r;
  for (size_t i = 0; i < axes; i++) r.push_back(n.dim(x, static_cast<int64_t>(i) + 2));
  return r;
}

namespace {

const char* average_target(size_t axes) {
  static constexpr const char* kTargets[] = {"aten::avg_pool1d", "aten::avg_pool2d",
                                             "aten::avg_pool3d"};
  return kTargets[axes - 1];
}

// The mean over whole windows.
Value mean_of(Node& n, Value x, const Windows& w) {
  if (w.is_dilated() || w.axes > 3) return n.call("aten::mean.dim", {windows_of(n, x, w), taps(w)});
  return n.call(average_target(w.axes), {x, w.kernel, w.strides});
}

// The share of each window that counts: x itself, or x with its padding; never what ceil_mode
// added.
Value share(Node& n, const Pool& p, const Ints& end, bool include) {
  Ints size = spatial(n, p.x, p.w.axes), before = p.w.begin, after = end;
  if (include)
    for (size_t i = 0; i < p.w.axes; i++) {
      size[i] = n.add(size[i], n.add(p.w.begin[i], p.w.end[i]));
      before[i] = 0;
      after[i] = n.sub(end[i], p.w.end[i]);
    }
  size.insert(size.begin(), {1, 1});
  const Value ones = padded(n, n.call("aten::new_ones", {p.x, size}), {before, after});
  double elements = 1;
  for (const Int& k : p.w.kernel) elements *= static_cast<double>(k.literal());
  // a window of nothing but padding has the average 0
  return n.call("aten::clamp_min", {mean_of(n, ones, p.w), 0.5 / elements});
}

}  // namespace

Value averaged(Node& n, const Pool& p, bool include_padding) {
  if (fits_aten(p) && !p.w.is_dilated())
    return n.call(average_target(p.w.axes),
                  {p.x, p.w.kernel, p.w.strides, p.w.begin, p.ceil, include_padding});
  const Ints end = whole_end(n, p);
  const Value sum = mean_of(n, padded(n, p.x, {p.w.begin, end}), p.w);
  const bool all_count = !p.ceil && (include_padding || !p.w.is_padded());
  return all_count ? sum : n.call("aten::div.Tensor", {sum, share(n, p, end, include_padding)});
}

}  // namespace onnx2fx
