// A process that converts for ever, with registries that come and go, does not grow.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <memory>
#include <string>

#include "core/include/onnx2fx/convert.hpp"
#include "tests/core/models.hpp"
#include "tests/plugins/scene.hpp"

namespace onnx2fx::plugin {
namespace {

struct Held {
  size_t maps = 0;  ///< of libraries that are plugins
  size_t files = 0;
  size_t bytes = 0;  ///< on the heap; 0 under a sanitizer, which has its own
};

Held held() {
  Held now;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    now.maps += line.find("rope.so") != std::string::npos ||
                line.find("example_pack.so") != std::string::npos;
  using Files = std::filesystem::directory_iterator;
  now.files = static_cast<size_t>(std::distance(Files("/proc/self/fd"), Files()));
  now.bytes = mallinfo2().uordblks;
  return now;
}

/// A registry, libraries, a conversion, and the end of it all.
void go_round(const std::shared_ptr<const std::string>& model) {
  Options options;
  options.default_plugins = false;
  options.descriptors = {library("rope.onnx2fx.json"), library("example_pack.onnx2fx.json")};
  Registry registry(options);
  convert(model, "net.onnx", "", {}, &registry);
}

TEST(Rounds, AThousandLeaveNothingBehind) {
  const auto model = std::make_shared<const std::string>(
      test::model(
          "<ir_version: 8, opset_import: [\"\": 17, \"com.acme\": 1, \"com.example\": 1]> "
          "g (float[4] a) => (float[4] c) { b = com.acme.Halve(a) c = com.example.ScaledTanh(b) }")
          .SerializeAsString());
  for (int i = 0; i < 20; i++) go_round(model);
  const Held before = held();
  EXPECT_GT(before.maps, 0u);
  for (int i = 0; i < 1000; i++) go_round(model);
  const Held after = held();
  EXPECT_EQ(after.maps, before.maps);
  EXPECT_EQ(after.files, before.files);
  EXPECT_LE(after.bytes, before.bytes + 16000);  // 16 bytes a round would be a leak
}

}  // namespace
}  // namespace onnx2fx::plugin
