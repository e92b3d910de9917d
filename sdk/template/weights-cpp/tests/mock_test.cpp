// What the source serves, on the SDK's mock host.
#include <onnx2fx/mock_weights.hpp>

using namespace onnx2fx;

static int served(const mock::Library& pack) {
  const mock::WeightFile file = {"w.listed", "w 0 4\nb 4 4\n\nAAAABBBB", {}};
  mock::Source source(pack, "listed", file);
  return mock::expect(source.read("b", kFloat, {1}), "BBBB") +
         mock::expect(source.read("w", kUint8, {2, 2}), "AAAA");
}

static int refused(const mock::Library& pack) {
  try {
    const mock::WeightFile file = {"w.listed", "w 0", {}};
    const mock::Source source(pack, "listed", file);
  } catch (const std::runtime_error& e) {
    return mock::expect(e.what(), "open: expected a list, then a blank line");
  }
  return mock::expect("a source", "a refusal");
}

int main(int, char** argv) {
  const mock::Library pack(argv[1]);
  return served(pack) + refused(pack);
}
