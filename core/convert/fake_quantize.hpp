#ifndef ONNX2FX_CORE_CONVERT_FAKE_QUANTIZE_HPP_
#define ONNX2FX_CORE_CONVERT_FAKE_QUANTIZE_HPP_

#include <vector>

#include "core/build/tensors.hpp"
#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::conversion {

/// Where floats are rounded to an integer type and come back as floats, they do so by
/// fake_quantize_per_tensor_affine: the same values, with a gradient. `entries`: of the tensors.
void fake_quantize(fx::Module& module, const std::vector<TensorEntry*>& entries, Tensors& tensors);

}  // namespace onnx2fx::conversion

#endif
