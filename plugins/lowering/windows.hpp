// Sliding windows: the geometry that the convolutions and the pools share, and ONNX's padding said
// in ATen's terms. ONNX pads are [begin..., end...], may differ at both ends, or follow from
// auto_pad; ATen pads both ends alike and wants all else done by constant_pad_nd.
#ifndef ONNX2FX_PLUGINS_LOWERING_WINDOWS_HPP_
#define ONNX2FX_PLUGINS_LOWERING_WINDOWS_HPP_

#include <onnx2fx/plugin.hpp>
#include <string>
#include <vector>

namespace onnx2fx {

struct Windows {
  size_t axes = 0;  // spatial ones
  Ints kernel;
  std::vector<int64_t> strides, dilations;
  Ints begin, end;  // padding
  std::string auto_pad;

  bool is_dilated() const;
  bool is_padded() const;
  // The padding is known to be the same at both ends of each axis, and not negative.
  bool is_even() const;
  // The extent that a window covers, dilation included.
  Int reach(Node& n, size_t axis) const;
};

// auto_pad as the model says it; an empty text counts as NOTSET.
std::string read_auto_pad(Node& n);
// The weight's spatial extents, one to three; kernel_shape, where given, repeats them.
Ints kernel_of(Node& n, Value weight);
// Strides, dilations, pads and auto_pad of the node for windows of this size over x (N, C, ...).
Windows read_windows(Node& n, Value x, const Ints& kernel);
// The padding that the ATen call shall do; if it cannot, x is padded with zeros here.
Ints even_padding(Node& n, Value& x, const Windows& w);

}  // namespace onnx2fx

#endif
