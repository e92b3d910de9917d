// SoftClip as calls of ATen: nothing is loaded to run it, it trains and exports.
#include <onnx2fx/plugin.hpp>

using namespace onnx2fx;

static void soft_clip(Node& n) {
  const double limit = n.real("limit", 1.0);
  const Value bounded = n.call("aten::tanh", {n.call("aten::div.Scalar", {n.input(0), limit})});
  n.output(n.call("aten::mul.Scalar", {bounded, limit}));
}

static constexpr o2fx_op kOps[] = {op("SoftClip", 1, lower<soft_clip>, 0, "com.example")};
ONNX2FX_ENTRY(concurrent(plugin_table("com.example.decomposition", "1.0.0", kOps)))
