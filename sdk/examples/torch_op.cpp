// SoftClip as a torch operator of our own: its kernel and its gradient are in a library against
// PyTorch's stable ABI, which who runs the module loads.
#include <onnx2fx/plugin.hpp>

using namespace onnx2fx;

static void soft_clip(Node& n) {
  const Value x = n.input(0);
  const Value y = n.call("example::soft_clip", {x, n.real("limit", 1.0)});
  n.output(n.state(y, n.info(x)));  // neither ONNX nor the host knows the type of our operator
}

static constexpr o2fx_op kOps[] = {op("SoftClip", 1, lower<soft_clip>, 0, "com.example")};
ONNX2FX_ENTRY(concurrent(plugin_table("com.example.torch-op", "1.0.0", kOps)))
