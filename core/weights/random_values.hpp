// Weights for a model whose own are absent or do not matter: benchmarks, tests of an architecture.
#ifndef ONNX2FX_CORE_WEIGHTS_RANDOM_VALUES_HPP_
#define ONNX2FX_CORE_WEIGHTS_RANDOM_VALUES_HPP_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>

namespace onnx2fx::weights {

/// Does random mode draw tensors of this data type? (FLOAT, DOUBLE, FLOAT16, BFLOAT16)
bool is_random(int32_t onnx_dtype);

/// Bytes in raw packing, the same for the same name. From two dims on uniform in +-sqrt(3 /
/// fan_in), which keeps the variance of a linear layer's input; below that uniform in [0.5, 1.5),
/// which is good for scales and variances.
std::string random_values(const onnx::TensorProto& tensor);

}  // namespace onnx2fx::weights

#endif
