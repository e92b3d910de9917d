// Nodes that nothing lowers, kept in the program with --keep-going.
#ifndef ONNX2FX_CORE_CONVERT_OPAQUE_HPP_
#define ONNX2FX_CORE_CONVERT_OPAQUE_HPP_

#include <string>
#include <vector>

#include "core/build/builder.hpp"
#include "core/shapes/infer.hpp"

namespace onnx2fx::conversion {

/// Calls that stand for the node; one value per output, 0 where it has no name. Where its inputs
/// and outputs (`types`) are tensors of known dtype and rank: onnx2fx::custom_call for each, which
/// can be traced; else onnx2fx::opaque.
std::vector<ValueId> emit_opaque(Builder& builder, const NodeView& view, const std::string& domain,
                                 const std::vector<Type>& types);

}  // namespace onnx2fx::conversion

#endif
