// The names of one graph or function body while it is lowered.
#ifndef ONNX2FX_CORE_CONVERT_SCOPE_HPP_
#define ONNX2FX_CORE_CONVERT_SCOPE_HPP_

#include <onnx/onnx_pb.h>

#include <string>
#include <unordered_map>

#include "core/build/builder.hpp"
#include "core/prepare/prepare.hpp"

namespace onnx2fx::conversion {

/// A function sees no outer names: its parent is null.
struct Scope {
  const Scope* parent = nullptr;
  const prepare::OpsetTable* opsets = nullptr;
  const google::protobuf::RepeatedPtrField<onnx::NodeProto>* nodes = nullptr;  ///< in their order
  std::string function_path;
  std::unordered_map<std::string, ValueId> values;
  std::unordered_map<std::string, const onnx::TypeProto*>
      declared;  ///< value_info and outputs: hints, never facts

  /// A scope for a graph that a node of `outer` holds.
  static Scope inside(const Scope& outer) {
    Scope scope;
    scope.parent = &outer;
    scope.opsets = outer.opsets;
    scope.function_path = outer.function_path;
    return scope;
  }
  /// 0: there is none.
  ValueId find(const std::string& name) const {
    for (const Scope* s = this; s; s = s->parent)
      if (const auto it = s->values.find(name); it != s->values.end()) return it->second;
    return 0;
  }
  /// Null: the model declares none.
  const onnx::TypeProto* declared_type(const std::string& name) const {
    for (const Scope* s = this; s; s = s->parent)
      if (const auto it = s->declared.find(name); it != s->declared.end()) return it->second;
    return nullptr;
  }
};

}  // namespace onnx2fx::conversion

#endif
