// How messages name a node: "net.onnx: node 'conv1' (Conv, opset 17)".
#ifndef ONNX2FX_CORE_PREPARE_PLACE_HPP_
#define ONNX2FX_CORE_PREPARE_PLACE_HPP_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <optional>
#include <string>

namespace onnx2fx::prepare {

/// "Conv", "com.acme.FooNorm".
std::string op_name(const std::string& domain, const std::string& op_type);
/// "'conv1'", or "#14" for a node without a name; index counts the nodes of its graph.
std::string node_name(const onnx::NodeProto& node, int index);
/// owner: where the node's graph is, e.g. the file. No opset: the model does not say it.
std::string node_place(const std::string& owner, const onnx::NodeProto& node, int index,
                       std::optional<int64_t> opset);
/// Where a subgraph is: "net.onnx: node 'if1' then_branch".
std::string subgraph_place(const std::string& owner, const onnx::NodeProto& node, int index,
                           const std::string& attribute);
/// "net.onnx: function 'com.acme.Foo'".
std::string function_place(const std::string& owner, const onnx::FunctionProto& function);

}  // namespace onnx2fx::prepare

#endif
