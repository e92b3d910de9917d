// Three operators of the domain com.example, one of each kind.
#include <numeric>
#include <onnx2fx/plugin.hpp>

using namespace onnx2fx;

// Decomposed: y = alpha * tanh(beta * x). Trains and exports like anything made of ATen.
static void scaled_tanh(Node& n) {
  const Value x = n.input(0);
  const Value scaled = n.call("aten::mul.Scalar", {x, n.real("beta", 1.0)});
  const Value y =
      n.call("aten::mul.Scalar", {n.call("aten::tanh", {scaled}), n.real("alpha", 1.0)});
  n.output(n.state(y, n.info(x)));
}

// A torch operator of our own. Its kernel lives elsewhere, e.g. in a library built with
// STABLE_TORCH_LIBRARY; here stands only its name, which pack.provides.json declares.
static void rope(Node& n) {
  const Value x = n.input(0), positions = n.input(1);
  const Value y = n.call("example::rope", {x, positions}, {{"base", n.real("base", 10000.0)}});
  n.output(n.state(y, n.info(x)));  // ONNX cannot infer the types of our op
}

// A constant made at conversion time, from no weight of the model: 0, 1, ... length - 1.
static void ramp(Node& n) {
  const int64_t length = n.integer("length");
  if (length < 1)
    throw Invalid("attribute 'length': expected at least 1, got " + std::to_string(length));
  std::vector<float> values(static_cast<size_t>(length));
  std::iota(values.begin(), values.end(), 0.0f);
  n.output(n.constant("ramp", kFloat, values, {length}));
}

static constexpr o2fx_op kOps[] = {
    op("Ramp", 1, lower<ramp>, 0, "com.example"),
    op("Rope", 1, lower<rope>, 0, "com.example"),
    op("ScaledTanh", 1, lower<scaled_tanh>, 0, "com.example"),
};
ONNX2FX_PLUGIN("com.example.pack", "1.0.0", kOps)
