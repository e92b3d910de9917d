// What elementwise ops share: the attributes of old opsets. Opset 1 has consumed_inputs, a hint for
// in-place execution; binary ops before opset 7 broadcast only where `broadcast` says so, and line
// the second operand up by `axis`.
#ifndef ONNX2FX_PLUGINS_AI_ONNX_ELEMENTWISE_HPP_
#define ONNX2FX_PLUGINS_AI_ONNX_ELEMENTWISE_HPP_

#include <onnx2fx/plugin.hpp>

namespace onnx2fx {

/// A 1:1 op of one input.
inline void unary(Node& n, const char* target) {
  n.ignore("consumed_inputs");
  n.output(n.call(target, {n.input(0)}));
}

/// Input 1 of a binary op, shaped so that it broadcasts to input 0 as numpy does.
inline Value second_operand(Node& n) {
  Value b = n.input(1);
  if (n.opset() >= 7) return b;
  n.ignore("consumed_inputs");
  const bool broadcast = n.flag("broadcast", false);
  if (!n.has("axis")) return b;
  const int64_t rank = n.rank(n.input(0));
  const int64_t axis = Node::axis(n.integer("axis"), rank);
  if (!broadcast) return b;
  for (int64_t i = axis + n.rank(b); i < rank; i++) b = n.call("aten::unsqueeze", {b, -1});
  return b;
}

}  // namespace onnx2fx

#endif
