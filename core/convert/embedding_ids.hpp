#ifndef ONNX2FX_CORE_CONVERT_EMBEDDING_IDS_HPP_
#define ONNX2FX_CORE_CONVERT_EMBEDDING_IDS_HPP_

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::conversion {

/// ONNX counts negative ids from the end of a table. Ids that are an input of the model are those
/// of an nn.Embedding, which has none: they reach it as they are.
void take_ids_as_they_are(fx::Module& module);

}  // namespace onnx2fx::conversion

#endif
