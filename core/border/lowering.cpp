#include "core/border/lowering.hpp"

namespace onnx2fx::conversion {

Lowering::Lowering(const plugin::Plugin& p, const NodeView& n, const std::string& place, Builder& b,
                   Tensors& t, Graphs& g)
    : Call(p, "while it lowered " + place),
      node(n),
      builder(b),
      tensors(t),
      graphs(g),
      base_depth(b.depth()),
      input_read(n.inputs.size()),
      outputs(static_cast<size_t>(n.proto.output_size())) {}

}  // namespace onnx2fx::conversion
