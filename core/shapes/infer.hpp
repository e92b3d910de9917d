// The types of a node's outputs as ONNX's own inference has them, fed with the conversion's
// symbolic sizes; where it stops at a symbol, the calls that the node becomes know more
// (build/emit). And the value rules: small tensors that describe shapes are computed here,
// symbolically.
#ifndef ONNX2FX_CORE_SHAPES_INFER_HPP_
#define ONNX2FX_CORE_SHAPES_INFER_HPP_

#include <optional>
#include <string>
#include <vector>

#include "core/shapes/node_view.hpp"

namespace onnx2fx::conversion {

/// One Type per output of the node. What cannot be inferred is UNKNOWN; `problem` gets ONNX's
/// complaint, if any. Nodes that hold graphs are left to their lowering.
std::vector<Type> infer(Operands& operands, const NodeView& node, std::string* problem);

/// Elements of the outputs that are small tensors of integers, bools or floats computed from
/// tracked ones; unknown elements are nullopt. An output is nullopt as a whole if nothing is known
/// of it, or the op is no shape arithmetic. A type whose shape ONNX did not infer is completed.
std::vector<std::optional<std::vector<MaybeSym>>> tracked_elements(Operands& operands,
                                                                   const NodeView& node,
                                                                   std::vector<Type>& outputs);
/// Whether the node is a Shape of all axes.
bool is_whole_shape(const NodeView& node);
/// Whether `tracked_elements` would know an output of this type if it knew the inputs.
bool is_tracked(const NodeView& node, const Type& output);

}  // namespace onnx2fx::conversion

#endif
