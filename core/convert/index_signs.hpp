#ifndef ONNX2FX_CORE_CONVERT_INDEX_SIGNS_HPP_
#define ONNX2FX_CORE_CONVERT_INDEX_SIGNS_HPP_

#include <vector>

#include "core/build/tensors.hpp"
#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::conversion {

/// ONNX counts negative indices from the end of an axis, which ATen's embedding, gather and scatter
/// do not: a lowering adds the extent to those. Indices that cannot be negative are read as they
/// are: positions, sizes, results of arguments-of-maxima, constants. What was added is left dead.
/// Ids of an embedding that are an input of the model are taken to be those of an nn.Embedding,
/// which has no negative ones; so are those of one that the exporter says it wrote for an
/// embedding. `entries`: of the tensors.
void read_indices_as_they_are(fx::Module& module, const std::vector<TensorEntry*>& entries,
                              Tensors& tensors);

}  // namespace onnx2fx::conversion

#endif
