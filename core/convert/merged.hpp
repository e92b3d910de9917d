// Parameters that PyTorch's exporters made one because their values were equal when they ran: the
// biases of zeros and norms of ones of a model that has not been trained yet.
#ifndef ONNX2FX_CORE_CONVERT_MERGED_HPP_
#define ONNX2FX_CORE_CONVERT_MERGED_HPP_

#include <onnx/onnx_pb.h>

#include "core/weights/weights.hpp"

namespace onnx2fx::conversion {

/// Makes each of them an initializer of its own again, of the same payload. In files of the dynamo
/// exporter the text of the FX node names the parameter that a node reads. The older one leaves an
/// Identity under the name of the one that is gone, as it does of weights that are tied: those
/// whose elements are all one number are not. To be called before anything holds the graph's
/// tensors.
void part_merged(onnx::ModelProto& model, weights::Store& store);

}  // namespace onnx2fx::conversion

#endif
