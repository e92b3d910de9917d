// plugins.config of the manifest: what a plugin is told, in init and in its lowerings.
#include <gtest/gtest.h>

#include <memory>
#include <onnx2fx/plugin.hpp>
#include <string>

#include "core/include/onnx2fx/convert.hpp"
#include "tests/core/models.hpp"
#include "tests/plugins/scene.hpp"

namespace onnx2fx::plugin {
namespace {

std::string told;  // to the latest init
int inits = 0;
void take(std::string_view config) {
  if (config.find("size") != std::string_view::npos)
    throw Invalid("config: unknown key 'size': expected 'gain'");
  told = config;
  inits++;
}
void say(Node& n) {
  n.annotate("config", n.config());
  n.output(n.call("aten::neg", {n.input(0)}));
}

constexpr o2fx_op kOps[] = {op("Say", 1, lower<say>, 0, "x")};
const o2fx_plugin kTable = with_init<take>(plugin_table("org.x", "1.0.0", kOps));

std::string converted(const Scene& scene, const std::string& config, Registry* given = nullptr) {
  Options options = scene.options();
  options.manifest = scene.manifest(config);
  std::optional<Registry> own;
  if (!given)
    given = &own.emplace(options, Registry::Faults::kThrown, std::vector<InProcess>{{&kTable, {}}});
  const Conversion c = convert(
      std::make_shared<const std::string>(
          test::model("<ir_version: 8, opset_import: [\"\": 17, \"x\": 1]> g (float[4] a) => "
                      "(float[4] b) { b = x.Say(a) }")
              .SerializeAsString()),
      "net.onnx", "", {}, given);
  return c.report.nodes[0].notes[0].second;
}

constexpr const char* kGain = R"("plugins": {"config": {"org.x": {"gain": [1, 2.5]}}})";

TEST(Config, IsToldInInitAndInEachLowering) {
  const Scene scene;
  EXPECT_EQ(converted(scene, kGain), R"({"gain":[1,2.5]})");
  EXPECT_EQ(told, R"({"gain":[1,2.5]})");
  EXPECT_EQ(converted(scene, R"("plugins": {})"), "{}");
  EXPECT_EQ(told, "{}");
}

TEST(Config, IsRefusedByThePlugin) {
  const Scene scene;
  EXPECT_EQ(
      refusal(scene, [&] { converted(scene, R"("plugins": {"config": {"org.x": {"size": 3}}})"); }),
      "error: org.x: init failed: config: unknown key 'size': expected 'gain'");
}

TEST(Config, OfAPluginInUseIsKept) {
  const Scene scene;
  Options options = scene.options();
  options.manifest = scene.manifest(kGain);
  Registry registry(options, Registry::Faults::kThrown, {{&kTable, {}}});
  converted(scene, kGain, &registry);
  const int before = inits;
  EXPECT_EQ(converted(scene, kGain), R"({"gain":[1,2.5]})");
  EXPECT_EQ(inits, before);  // the same: no second init
  EXPECT_EQ(refusal(scene, [&] { converted(scene, R"("plugins": {})"); }),
            "error: plugin 'org.x': expected the config that it is in use with in this process, "
            "{\"gain\":[1,2.5]}, got {}\n"
            "  note: let the other conversion end first");
}

TEST(Config, OfAManifestThatExtendsComesFirst) {
  const Scene scene;
  scene.write("base.json",
              R"({"config_version": "1.0", "plugins": {"config": {"org.x": {"gain": 1}}}})");
  EXPECT_EQ(converted(scene, R"("extends": ["base.json"])"), R"({"gain":1})");
  EXPECT_EQ(converted(scene, R"("extends": ["base.json"], "plugins": {"config": {"org.x": {}}})"),
            "{}");
}

TEST(Config, OfAPluginThatIsNotThereWarns) {
  const Scene scene;
  Options options = scene.options();
  options.manifest = scene.manifest(R"("plugins": {"config": {"org.xx": {}}})");
  const Registry registry(options, Registry::Faults::kThrown, {{&kTable, {}}});
  ASSERT_EQ(registry.warnings().size(), 1u);
  EXPECT_EQ(format(registry.warnings()[0]),
            "warning: " + scene.path("manifest.json") +
                " at /plugins/config/org.xx: expected the id of a plugin that was found, got "
                "'org.xx'\n  note: did you mean 'org.x'?");
}

}  // namespace
}  // namespace onnx2fx::plugin
