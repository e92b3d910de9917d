// A node of the model where it stands: what messages, faults and the report say of it.
#ifndef ONNX2FX_CORE_CONVERT_PLACE_HPP_
#define ONNX2FX_CORE_CONVERT_PLACE_HPP_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>

#include "core/convert/scope.hpp"
#include "core/prepare/place.hpp"

namespace onnx2fx::conversion {

struct Place {
  const onnx::NodeProto& node;
  const std::string& file;
  const Scope& scope;
  int64_t opset;  ///< of the node's domain

  const std::string& domain() const { return node.domain(); }
  /// Of a node without one: its first output's.
  const std::string& name() const {
    if (!node.name().empty()) return node.name();
    for (const std::string& o : node.output())
      if (!o.empty()) return o;
    return node.op_type();
  }
  /// "net.onnx: node 'conv1' (Conv, opset 17)".
  std::string where() const {
    return file + ": node '" + name() + "' (" + prepare::op_name(domain(), node.op_type()) +
           ", opset " + std::to_string(opset) + ")" +
           (scope.function_path.empty() ? "" : " in function " + scope.function_path);
  }
};

}  // namespace onnx2fx::conversion

#endif
