#include "core/convert/embedding_ids.hpp"

namespace onnx2fx::conversion {
namespace {

using fx::Node;
using fx::NodeRef;

bool is_call(const Node& n, std::string_view target) {
  return n.op == fx::Op::kCallFunction && n.target == target && !n.args.empty();
}

}  // namespace

void take_ids_as_they_are(fx::Module& module) {
  std::vector<Node>& nodes = module.programs[0].nodes;
  const auto operand = [&](const Node& n, size_t i) {
    const NodeRef* r = i < n.args.size() ? n.args[i].as<NodeRef>() : nullptr;
    return r ? &nodes[r->index] : nullptr;
  };
  for (Node& n : nodes) {
    const Node* from_front = is_call(n, "aten::embedding") ? operand(n, 1) : nullptr;
    if (!from_front || !is_call(*from_front, "aten::add.Tensor")) continue;
    const Node *ids = operand(*from_front, 0), *negative = operand(*from_front, 1);
    if (!ids || !negative || !is_call(*negative, "aten::lt.Scalar") ||
        operand(*negative, 0) != ids || negative->args[1] != fx::Argument(int64_t{0}))
      continue;
    const Node* input = is_call(*ids, "aten::to.dtype") ? operand(*ids, 0) : ids;
    if (input && input->op == fx::Op::kPlaceholder) n.args[1] = from_front->args[0];
  }
}

}  // namespace onnx2fx::conversion
