// Quantized tensors as this domain has them: in float, with scales of float.
#ifndef ONNX2FX_PLUGINS_COM_MICROSOFT_QUANTIZATION_HPP_
#define ONNX2FX_PLUGINS_COM_MICROSOFT_QUANTIZATION_HPP_

#include <onnx2fx/plugin.hpp>

#include "plugins/lowering/quantization.hpp"

namespace contrib {

/// v / scale, rounded and shifted by `zero`, as elements of type `to`.
onnx2fx::Value quantized(onnx2fx::Node& n, onnx2fx::Value v, onnx2fx::Value scale,
                         onnx2fx::Value zero, int32_t to);

/// A tensor quantized to 0 ... 255 by its own range: v less its zero point, in float, and its
/// scale.
struct Dynamic {
  onnx2fx::Value centred, scale;
};
Dynamic dynamically_quantized(onnx2fx::Node& n, onnx2fx::Value v);

/// The product of matrices of integers less their zero points (which may be omitted), in double.
onnx2fx::Value exact_product(onnx2fx::Node& n, onnx2fx::Value a, onnx2fx::Value a_zero,
                             onnx2fx::Value b, onnx2fx::Value b_zero);

}  // namespace contrib

#endif
