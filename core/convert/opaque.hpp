// Nodes that nothing lowers, kept in the program with --keep-going.
#ifndef ONNX2FX_CORE_CONVERT_OPAQUE_HPP_
#define ONNX2FX_CORE_CONVERT_OPAQUE_HPP_

#include <string>
#include <vector>

#include "core/build/builder.hpp"
#include "core/shapes/infer.hpp"

namespace onnx2fx::conversion {

/// A call of onnx2fx::opaque that stands for the node; one value per output.
std::vector<ValueId> emit_opaque(Builder& builder, const NodeView& view, const std::string& domain);

}  // namespace onnx2fx::conversion

#endif
