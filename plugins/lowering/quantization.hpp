// Quantized tensors and real ones. Sums of products of 8-bit integers are computed in double, which
// holds them exactly, has kernels for matmul and convolution on every device, and is what ONNX's
// reference scales the sums in.
#ifndef ONNX2FX_PLUGINS_LOWERING_QUANTIZATION_HPP_
#define ONNX2FX_PLUGINS_LOWERING_QUANTIZATION_HPP_

#include <onnx2fx/plugin.hpp>

#include "plugins/lowering/windows.hpp"

namespace onnx2fx {

/// Input i as a part of the state that is not learnt; may be omitted.
Value buffer(Node& n, size_t i);
/// v, which may be empty, as its number in `dtype`, whatever type it travels in.
Value number_in(Node& n, Value v, int32_t dtype);

/// v - zero in double; without a zero, v. The zero is a number already.
Value centred(Node& n, Value v, Value zero);
/// (v - zero) * scale in float.
Value dequantized(Node& n, Value v, Value scale, Value zero);
/// v rounded, then shifted by the number `zero`, cut to the range of the integer type `to`.
Value rounded(Node& n, Value v, Value zero, int32_t to);

/// What a scale or zero point of several elements belongs to: positions along an axis, or blocks of
/// them.
struct Granularity {
  int64_t axis = 1, block = 0;
};
/// v, made of the scale or zero point `of`, shaped so that it broadcasts to x.
Value spread(Node& n, Value v, Value x, Value of, const Granularity& g);
/// v, made of a parameter of the output channels, before so many axes.
Value by_channel(Node& n, Value v, Value parameter, size_t axes_after);

/// The convolution of x and weight, less their zero points, in double.
Value exact_convolution(Node& n, Value x, Value weight, Value x_zero, Value weight_zero,
                        const Windows& w);

/// The scale and the zero point (in float) that map the range of v, widened to hold 0, on 0 to 255;
/// `flat`: the scale where that range is 0 alone.
struct DynamicRange {
  Value scale, zero;
};
DynamicRange dynamic_range(Node& n, Value v, double flat);

}  // namespace onnx2fx

#endif
