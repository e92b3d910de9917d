// The types of a node's outputs: ONNX's own per-node inference, fed with the conversion's symbolic
// sizes, then the shape rules, which go on where ONNX stops at a symbol. And the value rules: small
// integer tensors that describe shapes are computed here, symbolically.
#ifndef ONNX2FX_CORE_SHAPES_INFER_HPP_
#define ONNX2FX_CORE_SHAPES_INFER_HPP_

#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/build/builder.hpp"

namespace onnx2fx::conversion {

/// A node with its inputs resolved; 0: omitted.
struct NodeView {
  const onnx::NodeProto& proto;
  const std::vector<ValueId>& inputs;
  int64_t opset;
  const onnx::OpSchema* schema;  ///< null: no schema

  const onnx::AttributeProto* attribute(const std::string& name) const;
  int64_t integer(const std::string& name, int64_t or_else) const;
  std::vector<int64_t> integers(const std::string& name) const;
  std::string text(const std::string& name) const;
};

/// One Type per output of the node. What cannot be inferred is UNKNOWN; `problem` gets ONNX's
/// complaint, if any. Nodes that hold graphs are left to their lowering.
std::vector<Type> infer(Builder& builder, const NodeView& node, std::string* problem);

/// Fills extents of outputs[0] that ONNX's inference left unknown.
void apply_shape_rules(Builder& builder, const NodeView& node, std::vector<Type>& outputs);

/// Elements of the outputs that are small integer or bool tensors computed from tracked ones;
/// unknown elements are nullopt. An output is nullopt as a whole if nothing is known of it, or the
/// op is no shape arithmetic. A type whose shape ONNX did not infer is completed.
std::vector<std::optional<std::vector<MaybeSym>>> track(Builder& builder, const NodeView& node,
                                                        std::vector<Type>& outputs);

/// What keeps `track` from knowing an output of this type: an input whose elements lie in a missing
/// file. Null: there is none, or the node is no shape arithmetic.
std::shared_ptr<const Absent> absent_behind(Builder& builder, const NodeView& node,
                                            const Type& output);

/// Whether shape tracking reads such a tensor: int32, int64 or bool of at most 1 KiB.
bool is_small_integer(const onnx::TensorProto& tensor);

/// The elements of a small constant integer tensor; `raw`: its bytes, if they are not in the proto.
std::optional<std::vector<MaybeSym>> constant_ints(
    const onnx::TensorProto& tensor, std::optional<std::span<const uint8_t>> raw = {});

}  // namespace onnx2fx::conversion

#endif
