// What the pack writes, on the SDK's mock host.
#include <onnx2fx/mock_host.hpp>

using namespace onnx2fx;

int main(int, char** argv) {
  const mock::Library pack(argv[1]);
  mock::Node node("com.example", "SoftClip", 1);
  node.input("x", kFloat, {3}).attribute("limit", 2.0);
  return mock::expect(mock::lower(pack, node),
                      "%0 = onnx2fx::reference('example::soft_clip', [%x], '2.000000', "
                      "[dtype(1)], [1], [3])\n"
                      "%1 = operator::getitem(%0, 0)\n"
                      "return %1\n");
}
