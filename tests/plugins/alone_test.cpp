// Plugins that are not concurrent: each has one thread inside it at a time, and none waits for
// another plugin's.
#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <onnx2fx/plugin.hpp>
#include <string>
#include <thread>

#include "core/include/onnx2fx/convert.hpp"
#include "core/plugin/registry.hpp"
#include "tests/core/models.hpp"

namespace onnx2fx {
namespace {

void negate(Node& n) { n.output(n.call("aten::neg", {n.input(0)})); }

/// Waits for a lowering of another plugin to have begun on another thread, then lowers its body.
std::latch* both_inside = nullptr;
void meet(Node& n) {
  both_inside->arrive_and_wait();
  n.output(n.lower(n.graph("body"), {n.input(0)})[0]);
}

/// Returns once another conversion has ended.
std::latch* other_is_done = nullptr;
void wait(Node& n) {
  other_is_done->wait();
  negate(n);
}

constexpr o2fx_op kOps[] = {op("Meet", 1, lower<meet>, 0, "x"),
                            op("Negate", 1, lower<negate>, 0, "x"),
                            op("Wait", 1, lower<wait>, 0, "x")};
constexpr o2fx_op kOtherOps[] = {op("Meet", 1, lower<meet>, 0, "y"),
                                 op("Negate", 1, lower<negate>, 0, "y")};
const o2fx_plugin kX = plugin_table("org.x", "1.0.0", kOps);
const o2fx_plugin kY = plugin_table("org.y", "1.0.0", kOtherOps);

std::string error_of(const std::string& node) {
  const std::string text =
      "<ir_version: 8, opset_import: [\"\": 17, \"x\": 1, \"y\": 1]> g (float[4] a) => (float[4] "
      "b) { b = " +
      node + " }";
  return test::error_of([&] {
    plugin::Options options;
    options.default_plugins = false;
    plugin::Registry registry(options, plugin::Registry::Faults::kThrown, {{&kX, {}}, {&kY, {}}});
    convert(std::make_shared<const std::string>(test::model(text).SerializeAsString()), "net.onnx",
            "", {}, &registry);
  });
}

std::string meeting(const std::string& outer, const std::string& inner) {
  return error_of(outer + ".Meet <body = g (float[4] p) => (float[4] q) { q = " + inner +
                  ".Negate(p) }> (a)");
}

// Each thread is inside one plugin and needs the other, which the other thread is inside of.
TEST(Alone, PluginsThatNeedEachOtherDoNotLockUp) {
  std::latch both(2);
  both_inside = &both;
  std::string x, y;
  std::thread first([&] { x = meeting("x", "y"); });
  std::thread second([&] { y = meeting("y", "x"); });
  first.join();
  second.join();
  EXPECT_EQ(x, "");
  EXPECT_EQ(y, "");
}

TEST(Alone, PluginThatHangsBlocksNoUserOfAnother) {
  std::latch done(1);
  other_is_done = &done;
  std::string waiting;
  std::thread hangs([&] { waiting = error_of("x.Wait(a)"); });
  EXPECT_EQ(error_of("y.Negate(a)"), "");
  done.count_down();
  hangs.join();
  EXPECT_EQ(waiting, "");
}

}  // namespace
}  // namespace onnx2fx
