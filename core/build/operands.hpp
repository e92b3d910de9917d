// The inputs of a node, for the rules of core/shapes: what the values under conversion say of
// themselves.
#ifndef ONNX2FX_CORE_BUILD_OPERANDS_HPP_
#define ONNX2FX_CORE_BUILD_OPERANDS_HPP_

#include <memory>
#include <vector>

#include "core/build/builder.hpp"
#include "core/build/tensors.hpp"
#include "core/shapes/node_view.hpp"

namespace onnx2fx::conversion {

class NodeOperands final : public Operands {
 public:
  NodeOperands(Builder& builder, Tensors& tensors, const NodeView& node)
      : Operands(builder.syms), builder_(builder), tensors_(tensors), node_(node) {}

  const Type& type(size_t i) override { return value(i).type; }
  const std::vector<MaybeSym>* elements(size_t i) override;
  Sym dim(size_t i, int64_t axis) override { return builder_.dim(node_.inputs[i], axis); }
  MaybeSym measured(size_t i, int64_t axis) override;
  const onnx::TypeProto* type_proto(size_t i) override;
  const onnx::TensorProto* tensor_proto(size_t i) override;

 private:
  Value& value(size_t i) { return builder_.value(node_.inputs[i]); }
  void read_reals(Value& v);

  Builder& builder_;
  Tensors& tensors_;
  const NodeView& node_;
};

/// What keeps `tracked_elements` from knowing an output of this type: an input whose elements lie
/// in a missing file. Null: there is none, or another input is not known either.
std::shared_ptr<const Absent> absent_behind(Builder& builder, const NodeView& node,
                                            const Type& output);

}  // namespace onnx2fx::conversion

#endif
