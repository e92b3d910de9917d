// What the pack writes, on the SDK's mock host.
#include <onnx2fx/mock_host.hpp>

using namespace onnx2fx;

static int scaled_tanh(const mock::Library& pack) {
  mock::Node node("com.example", "ScaledTanh", 1);
  node.input("x", kFloat, {3}).attribute("alpha", 2.0).attribute("beta", 0.5);
  return mock::expect(mock::lower(pack, node),
                      "%0 = aten::mul.Scalar(%x, 0.5)\n"
                      "%1 = aten::tanh(%0)\n"
                      "%2 = aten::mul.Scalar(%1, 2)\n"
                      "return %2\n");
}

static int rope(const mock::Library& pack) {
  mock::Node node("com.example", "Rope", 1);
  node.input("x", kFloat, {2}).input("positions", kFloat, {2});
  return mock::expect(mock::lower(pack, node),
                      "%0 = example::rope(%x, %positions, base=10000)\nreturn %0\n");
}

static int ramp_without_a_length(const mock::Library& pack) {
  mock::Node node("com.example", "Ramp", 1);
  node.attribute("length", 0);
  return mock::expect(mock::lower(pack, node),
                      "error -8: attribute 'length': expected at least 1, got 0\n");
}

int main(int, char** argv) {
  const mock::Library pack(argv[1]);
  return scaled_tanh(pack) + rope(pack) + ramp_without_a_length(pack);
}
