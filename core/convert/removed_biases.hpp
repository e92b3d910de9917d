// Biases that the dynamo exporter's optimiser left out because they were zero when it ran.
#ifndef ONNX2FX_CORE_CONVERT_REMOVED_BIASES_HPP_
#define ONNX2FX_CORE_CONVERT_REMOVED_BIASES_HPP_

#include <onnx/onnx_pb.h>

namespace onnx2fx::conversion {

/// Gives the Gemm, Conv and ConvTranspose nodes whose FX text has a bias that no initializer holds
/// that parameter again, of zeros: what is not there does not train. To be called before anything
/// holds the graph's tensors.
void restore_biases(onnx::GraphProto& graph);

}  // namespace onnx2fx::conversion

#endif
