// A node as the rules see it: what the model says of it, and what is known of its operands.
#ifndef ONNX2FX_CORE_SHAPES_NODE_VIEW_HPP_
#define ONNX2FX_CORE_SHAPES_NODE_VIEW_HPP_

#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/shapes/type.hpp"

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

/// What is known of a node's inputs; of those that are there, see NodeView::inputs.
class Operands {
 public:
  explicit Operands(SymTable& s) : syms(s) {}
  virtual ~Operands() = default;
  Operands(const Operands&) = delete;
  Operands& operator=(const Operands&) = delete;

  virtual const Type& type(size_t i) = 0;
  /// The elements of a small tensor in C order; null: they are not tracked. Lives as long as the
  /// value.
  virtual const std::vector<MaybeSym>* elements(size_t i) = 0;
  /// The extent of an axis of a value of known rank: a literal or an expression in atoms.
  virtual Sym dim(size_t i, int64_t axis) = 0;
  /// Of an operand that is the Shape of a value of unknown rank: the extent of that value's axis.
  virtual MaybeSym measured(size_t i, int64_t axis) = 0;

  // For ONNX's own inference; null: it cannot be told.
  virtual const onnx::TypeProto* type_proto(size_t i) = 0;
  virtual const onnx::TensorProto* tensor_proto(size_t i) = 0;

  SymTable& syms;
};

}  // namespace onnx2fx::conversion

#endif
