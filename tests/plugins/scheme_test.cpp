// Who serves a scheme of weights, and what a manifest says about weights: on descriptors alone.
#include <gtest/gtest.h>

#include "tests/plugins/scene.hpp"

namespace onnx2fx::plugin {
namespace {

class Schemes : public testing::Test {
 protected:
  /// A plugin of sources, `weights` the members of provides.weights.
  void pack(const std::string& folder, const std::string& id, const std::string& weights) {
    scene_.write(folder + "/" + id + ".onnx2fx.json",
                 R"({"manifest_version": "1.0", "plugin": {"id": ")" + id +
                     R"(", "version": "1.2.3", "library": "l.so", "abi": {"major": 1, )" +
                     R"("min_minor": 0}}, "provides": {"weights": [)" + weights + "]}}\n");
  }
  Options options(const std::string& manifest = "") const {
    Options o = scene_.options();
    o.directories = {scene_.root()};
    if (!manifest.empty()) o.manifest = scene_.manifest("\"weights\": " + manifest);
    return o;
  }
  std::string rules(const std::string& manifest) {
    plugins_.clear();
    return refusal(scene_, [&] {
      const Registry registry(options(manifest));
      for (const weights::Rule& r : registry.weight_rules())
        plugins_ += r.scheme + " by " + r.plugin + "; ";
    });
  }

  Scene scene_;
  std::string plugins_;
};

const char* const kNpz = R"({"scheme": "npz", "suffixes": [".npz"]})";

TEST_F(Schemes, ByNameOrSuffix) {
  pack(".", "com.acme.npz", kNpz);
  EXPECT_EQ(rules(R"({"sources": [{"tensors": "a", "from": "npz", "location": "w"},
                                  {"tensors": "b", "location": "w.npz"}]})"),
            "");
  EXPECT_EQ(plugins_, "npz by com.acme.npz; npz by com.acme.npz; ");
}

TEST_F(Schemes, Nobody) {
  pack(".", "com.acme.npz", kNpz);
  EXPECT_EQ(rules(R"({"sources": [{"tensors": "a", "from": "npx", "location": "w"}]})"),
            "error: DIR/manifest.json at /weights/sources/0: expected a plugin that serves weights "
            "of scheme 'npx', got none\n  note: did you mean 'npz'?\n  note: served are 'npz'");
  EXPECT_EQ(rules(R"({"sources": [{"tensors": "a", "location": "w.bin"}]})"),
            "error: DIR/manifest.json at /weights/sources/0: expected the key 'from', as no plugin "
            "claims the suffix of 'w.bin', got none");
  EXPECT_EQ(rules(R"({"sources": [{"tensors": "a"}]})"),
            "error: DIR/manifest.json: /weights/sources/0: expected the key 'from' or 'location', "
            "got neither");
}

TEST_F(Schemes, TwoAreAConflictThatALoaderSettles) {
  pack(".", "com.acme.npz", kNpz);
  pack(".", "org.other.npz", kNpz);
  const std::string source = R"("sources": [{"tensors": "a", "from": "npz", "location": "w.npz"}])";
  EXPECT_EQ(rules("{" + source + "}"),
            "error: DIR/manifest.json at /weights/sources/0: two plugins serve weights of 'npz': "
            "com.acme.npz and org.other.npz\n  note: settle it in the manifest: \"weights\": "
            "{\"loaders\": {\"npz\": \"com.acme.npz\"}}");
  EXPECT_EQ(rules(R"({"loaders": {"npz": "org.other.npz"}, )" + source + "}"), "");
  EXPECT_EQ(plugins_, "npz by org.other.npz; ");
  EXPECT_EQ(
      rules(R"({"loaders": {"npz": "org.none"}, )" + source + "}"),
      "error: DIR/manifest.json at /weights/loaders/npz: expected the id of a plugin that was "
      "found, got 'org.none'");
  EXPECT_EQ(rules(R"({"loaders": {"npx": "org.other.npz"}, "sources": [{"tensors": "a",
                      "from": "npx", "location": "w"}]})"),
            "error: DIR/manifest.json at /weights/loaders/npx: expected a plugin that serves "
            "weights of scheme 'npx', got 'org.other.npz'");
}

TEST_F(Schemes, TheInstallationsAreTakenOverByALoaderOnly) {
  pack("builtin", "onnx2fx.std", kNpz);
  pack(".", "com.acme.npz", kNpz);
  Options o = options(R"({"sources": [{"tensors": "a", "location": "w.npz"}]})");
  o.default_plugins = true;
  o.builtin_directory = scene_.path("builtin");
  EXPECT_EQ(Registry(o).weight_rules()[0].plugin, "onnx2fx.std");
  o.manifest = scene_.manifest(R"("weights": {"loaders": {".npz": "com.acme.npz"},
                                  "sources": [{"tensors": "a", "location": "w.npz"}]})");
  EXPECT_EQ(Registry(o).weight_rules()[0].plugin, "com.acme.npz");
}

TEST_F(Schemes, LocationsOfAModel) {
  pack(".", "com.acme.npz", kNpz);
  pack(".", "com.acme.usual", R"({"scheme": "zeros", "file": false})");
  const auto served = [](const Registry& r, const std::string& location) {
    const weights::Served s = r.served(location);
    return s.scheme + "|" + s.location;
  };
  const Registry plain(options());
  EXPECT_EQ(served(plain, "npz:w.bin"), "npz|w.bin");
  EXPECT_EQ(served(plain, "w.npz"), "|w.npz");
  EXPECT_EQ(served(plain, "zip:w.bin"), "|zip:w.bin");
  EXPECT_EQ(served(plain, ":w"), "|:w");
  EXPECT_EQ(served(plain, "zeros:w"), "|zeros:w");
  const Registry loaded(options(R"({"loaders": {".npz": "com.acme.npz"}})"));
  EXPECT_EQ(served(loaded, "w.npz"), "npz|w.npz");
}

TEST_F(Schemes, RulesThatCannotBeRead) {
  pack(".", "com.acme.npz", kNpz);
  EXPECT_EQ(rules(R"({"sources": [{"tensors": [], "location": "a.npz", "names": {"a": 1},
                      "rename": [{"match": "(", "replace": ""}]}]})"),
            "error: DIR/manifest.json: /weights/sources/0/names/a: expected a string, got 1");
  EXPECT_EQ(rules(R"({"sources": [{"tensors": "a", "location": "a.npz",
                      "rename": [{"match": "(", "replace": ""}]}]})"),
            "error: DIR/manifest.json: /weights/sources/0/rename/0/match: expected a regular "
            "expression of RE2, got \"(\": missing ): (");
  EXPECT_EQ(rules(R"({"sources": [{"tensors": "a", "location": "a.npz",
                      "rename": [{"match": "a", "replace": "b"}, {"match": "a", "replace": "$1"}]}]})"),
            "error: DIR/manifest.json: /weights/sources/0/rename/1/replace: expected no group, as "
            "match has none, got \"$1\"");
  pack(".", "com.acme.zeros", R"({"scheme": "zeros", "file": false})");
  EXPECT_EQ(rules(R"({"sources": [{"tensors": "a", "from": "zeros", "location": "b.onnx"}]})"),
            "error: DIR/manifest.json at /weights/sources/0: location: expected none, as source "
            "'zeros' reads no file, got 'b.onnx'");
  EXPECT_EQ(rules(R"({"sources": [{"tensors": "a", "from": "npz"}]})"),
            "error: DIR/manifest.json at /weights/sources/0: expected the key 'location', as "
            "source 'npz' reads a file, got none");
}

TEST_F(Schemes, ExtendingManifestHasTheFirstWord) {
  pack(".", "com.acme.npz", kNpz);
  scene_.write("base.json", R"({"config_version": "1.0", "weights": {"roots": ["data"],
                "sources": [{"tensors": "*", "from": "npz", "location": "base.npz"}]}})");
  Options o = scene_.options();
  o.directories = {scene_.root()};
  o.manifest = scene_.manifest(R"("extends": ["base.json"], "weights": {"roots": ["/models"],
                "sources": [{"tensors": "a", "from": "npz", "location": "own.npz"}]})");
  const Registry registry(o);
  const std::vector<weights::Rule> rules = registry.weight_rules();
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(rules[0].location, "own.npz");
  EXPECT_EQ(rules[1].location, "base.npz");
  EXPECT_EQ(registry.weight_roots(), (std::vector<std::string>{scene_.path("data"), "/models"}));
}

}  // namespace
}  // namespace onnx2fx::plugin
