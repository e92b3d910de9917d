// What the pack writes, on the SDK's mock host.
#include <onnx2fx/mock_host.hpp>

using namespace onnx2fx;

int main(int, char** argv) {
  const mock::Library pack(argv[1]);
  mock::Node node("com.example", "Halve", 1);
  node.input("x", kFloat, {3});
  return mock::expect(mock::lower(pack, node), "%0 = aten::mul.Scalar(%x, 0.5)\nreturn %0\n");
}
