// Conversions, and loads of plugins, on several threads at once: with a registry each, and with one
// that all share. The tsan preset runs these.
#include <gtest/gtest.h>

#include <functional>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "core/plugin/registry.hpp"
#include "core/write/graph_json.hpp"
#include "core/write/report_json.hpp"
#include "tests/convert/standard.hpp"

namespace onnx2fx {
namespace {

constexpr int kThreads = 4;

/// Runs `work` on all threads, which begin together.
void together(const std::function<void(int)>& work) {
  std::latch ready(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; i++)
    threads.emplace_back([&, i] {
      ready.arrive_and_wait();
      work(i);
    });
  for (std::thread& t : threads) t.join();
}

const onnx::ModelProto& network() {
  static const onnx::ModelProto model = test::model(R"(
    <ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 3, "f" : 1]>
    g (float[N, 4] x, int64 n) => (float[N, 2] y, z, l)
    <float[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}, int64[2] shape = {-1, 2}> {
      h = MatMul(x, w)
      r = f.Twice(h)
      y = Relu(r)
      l = ai.onnx.ml.Normalizer <norm = "L2"> (h)
      z = Loop (n, , x) <body = b (int64 i, bool c, float[N, 4] v) => (bool d, float[N, 4] u) {
        d = Identity(c)
        s = Shape(v)
        e = Expand(v, s)
        u = Add(e, v)
      }>
    }
    <opset_import: ["" : 17], domain: "f">
    Twice (a) => (b) { b = Add(a, a) })");
  return model;
}

std::string written(const Conversion& c) {
  return write::graph_json(c.module, {.weights = std::nullopt, .folder = {}}) +
         write::report_json(c);
}

Conversion converted(plugin::Registry* registry) {
  static const auto bytes = std::make_shared<const std::string>(network().SerializeAsString());
  return convert(bytes, "net.onnx", "", test::standard_options(), registry);
}

// ONNX is built without the thread sanitizer, which does not see how what it makes once is guarded:
// it is made before there are threads.
class Concurrent : public testing::Test {
 protected:
  static void SetUpTestSuite() { converted(nullptr); }
};

TEST_F(Concurrent, ConversionsWithARegistryEach) {
  std::vector<std::string> results(kThreads);
  together([&](int i) {
    for (int k = 0; k < 3; k++) results[static_cast<size_t>(i)] = written(converted(nullptr));
  });
  const std::string alone = written(converted(nullptr));
  for (const std::string& r : results) EXPECT_EQ(r, alone);
}

TEST_F(Concurrent, ConversionsWithOneRegistry) {
  plugin::Registry registry(test::standard_options().plugins);
  std::vector<std::string> results(kThreads);
  together([&](int i) {
    for (int k = 0; k < 3; k++) results[static_cast<size_t>(i)] = written(converted(&registry));
  });
  const std::string alone = written(converted(&registry));
  for (const std::string& r : results) EXPECT_EQ(r, alone);
}

TEST_F(Concurrent, Refusals) {
  std::vector<std::string> errors(kThreads);
  together([&](int i) {
    errors[static_cast<size_t>(i)] = test::error_of([] {
      test::convert_proto(test::model(
          "<ir_version: 8, opset_import: [\"\" : 17, \"acme\" : 1]> g (float[2] x) => (y) { y = "
          "acme.Rope(x) }"));
    });
  });
  for (const std::string& e : errors)
    EXPECT_EQ(e,
              "error: net.onnx: node 'y' (acme.Rope, opset 1): no loaded plugin lowers this "
              "operator");
}

// Libraries are mapped once a process: here by the first to ask, while others list and ask too.
TEST(ConcurrentLoads, OfLibraries) {
  together([](int i) {
    plugin::Registry registry(test::standard_options().plugins);
    const char* op = i % 2 ? "Normalizer" : "Relu";
    const char* domain = i % 2 ? "ai.onnx.ml" : "";
    EXPECT_EQ(registry.candidates(domain, op, 3).size(), 1U);
    EXPECT_GE(registry.plugins().size(), 4U);
    EXPECT_GE(registry.ops().size(), 200U);
    EXPECT_EQ(registry.loaded().size(), 1U);
  });
}

}  // namespace
}  // namespace onnx2fx
