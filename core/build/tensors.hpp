// The tensors of a conversion as values: those of the model, one value for each however often it
// is asked for, and the constants that lowerings make, one for equal ones.
#ifndef ONNX2FX_CORE_BUILD_TENSORS_HPP_
#define ONNX2FX_CORE_BUILD_TENSORS_HPP_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>

#include "core/build/builder.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::conversion {

class Tensors {
 public:
  Tensors(Builder& builder, weights::Store& store) : builder_(builder), store_(store) {}

  /// Counts the readers of each name in the graph and in those that its nodes hold.
  void count_uses(const onnx::GraphProto& graph);

  /// The value of a tensor of the model; the same proto gives the same value. in_node: it is an
  /// attribute's.
  ValueId of_model(const onnx::TensorProto& tensor, const std::string& name, bool in_node = false);
  ValueId of_model(const onnx::SparseTensorProto& tensor, const std::string& name);
  /// A tensor with bytes of its own. Equal ones of one identity are one.
  ValueId constant(TensorEntry entry);

  /// In ONNX packing; throws ConversionError when they lie in a file that does not exist.
  std::span<const uint8_t> bytes(TensorEntry& entry);
  /// Null: the bytes are there.
  std::shared_ptr<const Absent> absent(const TensorEntry& entry);

  weights::Store& store() { return store_; }

 private:
  /// The value that was made for this tensor, if its lowering was not undone.
  ValueId known(const void* proto) const;
  TensorEntry entry_of(const onnx::TensorProto& described, const std::string& name) const;

  Builder& builder_;
  weights::Store& store_;
  std::unordered_map<std::string, int> uses_;
  std::unordered_map<const void*, ValueId> of_model_;  ///< by address of the proto
  std::map<std::string, ValueId> constants_;           ///< by content
};

}  // namespace onnx2fx::conversion

#endif
