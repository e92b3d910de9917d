// Names of FX nodes as PyTorch's exporter knew them.
#ifndef ONNX2FX_CORE_CONVERT_NODE_NAMES_HPP_
#define ONNX2FX_CORE_CONVERT_NODE_NAMES_HPP_

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::conversion {

/// Calls whose ONNX node says which FX node it was exported from take the name of that one.
void name_nodes(fx::Module& module);

}  // namespace onnx2fx::conversion

#endif
