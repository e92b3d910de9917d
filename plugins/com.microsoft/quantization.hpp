// Quantized tensors and real ones. Sums of products of 8-bit integers are computed in double, which
// holds them exactly and has kernels on every device.
#ifndef ONNX2FX_PLUGINS_COM_MICROSOFT_QUANTIZATION_HPP_
#define ONNX2FX_PLUGINS_COM_MICROSOFT_QUANTIZATION_HPP_

#include <onnx2fx/plugin.hpp>

namespace contrib {

/// Input i as a part of the state that is not learnt; may be omitted.
onnx2fx::Value buffer(onnx2fx::Node& n, size_t i);

/// v - zero in double; without a zero, v.
onnx2fx::Value centred(onnx2fx::Node& n, onnx2fx::Value v, onnx2fx::Value zero);
/// (v - zero) * scale in float.
onnx2fx::Value dequantized(onnx2fx::Node& n, onnx2fx::Value v, onnx2fx::Value scale,
                           onnx2fx::Value zero);
/// v rounded, then shifted by `zero`, cut to the range of the type `to`.
onnx2fx::Value rounded(onnx2fx::Node& n, onnx2fx::Value v, onnx2fx::Value zero, int32_t to);
/// v / scale, rounded.
onnx2fx::Value quantized(onnx2fx::Node& n, onnx2fx::Value v, onnx2fx::Value scale,
                         onnx2fx::Value zero, int32_t to);

/// A tensor quantized to 0 ... 255 by its own range: v less its zero point, in double, and its
/// scale.
struct Dynamic {
  onnx2fx::Value centred, scale;
};
Dynamic dynamically_quantized(onnx2fx::Node& n, onnx2fx::Value v);

}  // namespace contrib

#endif
