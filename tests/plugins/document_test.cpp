// What is refused in descriptors and manifests, and in which words.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/plugin/sha256.hpp"
#include "core/plugin/version_range.hpp"
#include "tests/plugins/scene.hpp"

namespace onnx2fx::plugin {

static std::string descriptor_refusal(const std::string& text) {
  const Scene scene;
  Options o = scene.options();
  o.descriptors = {scene.write("p.onnx2fx.json", text)};
  return refusal(scene, [&] { Registry r(o); });
}
static std::string manifest_refusal(const std::string& text) {
  const Scene scene;
  Options o = scene.options();
  o.manifest = scene.write("m.json", text);
  return refusal(scene, [&] { Registry r(o); });
}

TEST(Descriptor, AcceptsOneWithAllItsKeys) {
  EXPECT_EQ(
      descriptor_refusal(R"({"$schema": "s", "x-team": {"any": [1]}, "manifest_version": "1.0",
    "plugin": {"id": "com.acme.pack", "version": "1.0.0-rc.1", "library": {"linux-x86_64": "l.so", "linux-aarch64": "a/l.so"},
               "abi": {"major": 1, "min_minor": 0, "built_minor": 2}, "license": "MIT"},
    "provides": {"ops": [{"domain": "com.acme", "op": "Rope", "since": 1, "until": 3, "torch_targets": ["acme::rope"]}],
                 "weights": [{"scheme": "xor", "suffixes": [".x"]}], "extensions": ["com.acme.x/1"]}})"),
      "");
}

TEST(Descriptor, UnknownKeyNamesTheNearest) {
  EXPECT_EQ(
      descriptor_refusal(
          R"({"manifest_version": "1.0", "plugin": {"id": "com.acme.p", "version": "1.0.0", "library": "l.so",
    "abi": {"major": 1, "min_mnor": 0}}, "provides": {"ops": []}})"),
      "error: DIR/p.onnx2fx.json: /plugin/abi: expected the key 'min_minor', got none\n"
      "error: DIR/p.onnx2fx.json: /plugin/abi: unknown key 'min_mnor': expected one of 'major', "
      "'min_minor', 'built_minor'\n"
      "  note: did you mean 'min_minor'?");
}

TEST(Descriptor, EveryFaultIsReported) {
  EXPECT_EQ(
      descriptor_refusal(
          R"({"manifest_version": "2.0", "plugin": {"id": "Acme", "version": "1", "library": "../l.so",
    "abi": {"major": "1", "min_minor": -1}}, "provides": {"ops": [{"domain": "", "op": "", "since": 0, "override": 1}]}})"),
      "error: DIR/p.onnx2fx.json: /manifest_version: expected a version 1.MINOR, got \"2.0\"\n"
      "error: DIR/p.onnx2fx.json: /plugin/id: expected an id such as com.acme.pack, got \"Acme\"\n"
      "error: DIR/p.onnx2fx.json: /plugin/version: expected a version MAJOR.MINOR.PATCH, got "
      "\"1\"\n"
      "error: DIR/p.onnx2fx.json: /plugin/library: expected a relative path without '..' or a "
      "backslash, got \"../l.so\"\n"
      "error: DIR/p.onnx2fx.json: /plugin/abi/major: expected an integer, got \"1\"\n"
      "error: DIR/p.onnx2fx.json: /plugin/abi/min_minor: expected an integer in [0, 65535], got "
      "-1\n"
      "error: DIR/p.onnx2fx.json: /provides/ops/0/op: expected a non-empty string, got \"\"\n"
      "error: DIR/p.onnx2fx.json: /provides/ops/0/since: expected an integer in [1, 2147483647], "
      "got 0\n"
      "error: DIR/p.onnx2fx.json: /provides/ops/0/override: expected true or false, got 1");
}

TEST(Descriptor, RowsMustMakeSense) {
  EXPECT_EQ(
      descriptor_refusal(
          R"({"manifest_version": "1.0", "plugin": {"id": "com.acme.p", "version": "1.0.0", "library": "l.so",
    "abi": {"major": 1, "min_minor": 0}}, "provides": {"ops": [{"domain": "", "op": "Relu", "since": 6, "until": 5},
    {"domain": "ai.onnx", "op": "Relu", "since": 6}]}})"),
      "error: DIR/p.onnx2fx.json: /provides/ops/0/until: expected at least since (6), got 5\n"
      "error: DIR/p.onnx2fx.json: /provides/ops/1: Relu since 6: already stated at "
      "/provides/ops/0");
}

TEST(Descriptor, LibraryMayNotLeaveTheFolderByALink) {
  const Scene scene;
  scene.write("elsewhere/l.so", "");
  scene.describe("pack/p.onnx2fx.json", "com.acme.p", "");
  std::filesystem::create_symlink(scene.path("elsewhere/l.so"), scene.path("pack/l.so"));
  Options o = scene.options();
  o.directories = {scene.path("pack")};
  EXPECT_EQ(refusal(scene, [&] { Registry r(o); }),
            "error: DIR/pack/p.onnx2fx.json: /plugin/library: expected a file inside DIR/pack, got "
            "DIR/elsewhere/l.so");
}

TEST(Json, DuplicateKey) {
  EXPECT_EQ(
      manifest_refusal(R"({"config_version": "1.0", "plugins": {"enable": [], "enable": ["a"]}})"),
      "error: DIR/m.json: /plugins: duplicate key 'enable'");
}
TEST(Json, ByteOrderMark) {
  EXPECT_EQ(manifest_refusal("\xEF\xBB\xBF{}"),
            "error: DIR/m.json: expected JSON text, got a byte order mark\n  note: save the file "
            "as UTF-8 without one");
}
TEST(Json, TooLarge) {
  EXPECT_EQ(manifest_refusal(std::string((1 << 20) + 1, ' ')),
            "error: DIR/m.json: expected at most 1048576 bytes, got more");
}
TEST(Json, TooDeep) {
  std::string text = R"({"x-a": )";
  for (int i = 0; i < 32; i++) text += "[";
  EXPECT_EQ(manifest_refusal(text).substr(0, 24), "error: DIR/m.json: /x-a/");
  EXPECT_NE(manifest_refusal(text).find("expected at most 32 levels of nesting, got more"),
            std::string::npos);
}
TEST(Json, SyntaxErrorSaysTheLine) {
  EXPECT_EQ(manifest_refusal("{\n  \"config_version\": 1.0,\n}"),
            "error: DIR/m.json: line 3, column 1: syntax error while parsing object key - "
            "unexpected '}'; expected string literal");
}
TEST(Json, Missing) {
  const Scene scene;
  Options o = scene.options();
  o.manifest = scene.path("none.json");
  EXPECT_EQ(refusal(scene, [&] { Registry r(o); }),
            "error: DIR/none.json: cannot be read: No such file or directory");
}

TEST(Json, PipeOrDeviceIsNotWaitedFor) {
  const Scene scene;
  std::filesystem::create_directory(scene.path("d"));
  ASSERT_EQ(mkfifo(scene.path("d/p.onnx2fx.json").c_str(), 0600), 0);
  const std::string fault = "cannot be read: expected a regular file, got a device or pipe";
  Options o = scene.options();
  o.manifest = scene.path("d/p.onnx2fx.json");
  EXPECT_EQ(refusal(scene, [&] { Registry r(o); }), "error: DIR/d/p.onnx2fx.json: " + fault);
  o.manifest = "/dev/zero";
  EXPECT_EQ(refusal(scene, [&] { Registry r(o); }), "error: /dev/zero: " + fault);
  o.manifest.clear();
  o.descriptors = {scene.path("d/p.onnx2fx.json")};
  EXPECT_EQ(refusal(scene, [&] { Registry r(o); }), "error: DIR/d/p.onnx2fx.json: " + fault);
  o.descriptors.clear();
  o.directories = {scene.path("d")};
  EXPECT_EQ(refusal(scene, [&] { Registry r(o); }), "error: DIR/d/p.onnx2fx.json: " + fault);
  std::filesystem::remove(scene.path("d/p.onnx2fx.json"));
  std::filesystem::create_directory(scene.path("d/p.onnx2fx.json"));
  EXPECT_EQ(refusal(scene, [&] { Registry r(o); }), "");
  o.manifest = scene.path("d");
  EXPECT_EQ(refusal(scene, [&] { Registry r(o); }),
            "error: DIR/d: cannot be read: expected a regular file, got a folder");
}

TEST(Manifest, UnknownKey) {
  EXPECT_EQ(
      manifest_refusal(R"({"config_version": "1.0", "on_conflit": "first"})"),
      "error: DIR/m.json: /: unknown key 'on_conflit': expected one of '$schema', "
      "'config_version', 'extends', "
      "'plugin_dirs', 'plugins', 'on_conflict', 'on_unsupported', 'op_sets', 'default_op_set', "
      "'weights'\n"
      "  note: did you mean 'on_conflict'?");
}
TEST(Manifest, WrongChoice) {
  EXPECT_EQ(manifest_refusal(R"({"config_version": "1.0", "on_conflict": "eror"})"),
            "error: DIR/m.json: /on_conflict: expected one of \"error\", \"first\", got \"eror\"\n "
            " note: did you mean 'error'?");
}
TEST(Manifest, UnknownOpSet) {
  EXPECT_EQ(
      manifest_refusal(
          R"({"config_version": "1.0", "op_sets": {"prod": {}, "test": {}}, "default_op_set": "prd"})"),
      "error: DIR/m.json: /default_op_set: expected one of 'prod', 'test', got 'prd'\n  note: did "
      "you mean 'prod'?");
}
TEST(Manifest, SeveralOpSetsNeedAChoice) {
  EXPECT_EQ(manifest_refusal(R"({"config_version": "1.0", "op_sets": {"a": {}, "b": {}}})"),
            "error: DIR/m.json: /default_op_set: expected one of 'a', 'b', got none\n  note: or "
            "choose one with --op-set");
}
TEST(Manifest, OpSetsThatInheritEachOther) {
  EXPECT_EQ(manifest_refusal(R"({"config_version": "1.0", "default_op_set": "a",
                                 "op_sets": {"a": {"inherits": ["b"]}, "b": {"inherits": ["a"]}}})"),
            "error: DIR/m.json: /op_sets/b/inherits/0: expected an op set that does not inherit "
            "itself, got 'a'");
}
TEST(Manifest, ExtendsItself) {
  EXPECT_EQ(manifest_refusal(R"({"config_version": "1.0", "extends": ["m.json"]})"),
            "error: DIR/m.json: /extends/0: expected a manifest that does not extend this one, got "
            "DIR/m.json");
}
TEST(Manifest, UnknownBuiltin) {
  EXPECT_EQ(manifest_refusal(R"({"config_version": "1.0", "extends": ["builtin:onx-3"]})"),
            "error: DIR/m.json: /extends/0: expected 'builtin:onnx-N' or a file name, got "
            "'builtin:onx-3'");
}
TEST(Manifest, RequiredPluginIsMissing) {
  EXPECT_EQ(
      manifest_refusal(
          R"({"config_version": "1.0", "plugins": {"require": [{"id": "com.acme.p", "version": ">=1.4 <2"}]}})"),
      "error: DIR/m.json at /plugins/require/0: expected plugin 'com.acme.p' >=1.4 <2, got none\n"
      "  note: no plugin was found");
}
TEST(Manifest, BindToNobody) {
  EXPECT_EQ(
      manifest_refusal(
          R"({"config_version": "1.0", "op_sets": {"a": {"bind": [{"op": "Relu", "to": "com.acme.p"}]}}})"),
      "error: DIR/m.json at /op_sets/a/bind/0: expected the id of a plugin that was found, got "
      "'com.acme.p'\n"
      "  note: no plugin was found");
}
TEST(Manifest, KeysOfANewerMinorAreWarnings) {
  const Scene scene;
  Options o = scene.options();
  o.manifest = scene.write("m.json", R"({"config_version": "1.7", "novelty": 1})");
  const Registry r(o);
  ASSERT_EQ(r.warnings().size(), 1u);
  EXPECT_EQ(r.warnings()[0].what.substr(0, 24), "/: unknown key 'novelty'");
}

// ---- rules that do nothing

static std::string idle(const std::string& members) {
  const Scene scene;
  scene.describe("d/a.onnx2fx.json", "com.acme.rope-pack",
                 R"({"domain": "com.acme", "op": "Rope", "since": 2},
                    {"domain": "", "op": "Gelu", "since": 20})");
  scene.describe("builtin/s.onnx2fx.json", "onnx2fx.std",
                 R"({"domain": "", "op": "Relu", "since": 1})");
  Options o = scene.options();
  o.default_plugins = true;
  o.builtin_directory = scene.path("builtin");
  o.directories = {scene.path("d")};
  o.manifest = scene.manifest(members);
  std::string text = format(Registry(o).warnings());
  for (size_t at; (at = text.find(scene.root())) != std::string::npos;)
    text.replace(at, scene.root().size(), "DIR");
  return text;
}

TEST(IdleRule, OfPlugins) {
  EXPECT_EQ(idle(R"("plugins": {"disable": ["com.acme.rope_pack", "*", "onnx2fx.*", "*.std"],
                                "enable": ["com.acm.*"], "allow_override": ["com.acme.rope"]})"),
            "warning: DIR/manifest.json at /plugins/disable/0: expected the id of a plugin that "
            "was found, got 'com.acme.rope_pack'\n"
            "  note: did you mean 'com.acme.rope-pack'?\n"
            "warning: DIR/manifest.json at /plugins/disable/3: expected the id of a plugin that "
            "was found, got '*.std'\n"
            "warning: DIR/manifest.json at /plugins/enable/0: expected the id of a plugin that was "
            "found, got 'com.acm.*'\n"
            "warning: DIR/manifest.json at /plugins/allow_override/0: expected the id of a plugin "
            "that was found, got 'com.acme.rope'\n"
            "  note: did you mean 'com.acme.rope-pack'?");
}
TEST(IdleRule, OfOperators) {
  EXPECT_EQ(idle(R"("op_sets": {"a": {
      "bind": [{"op": "Gleu", "to": "com.acme.rope-pack"},
               {"op": "Gelu", "until": 19, "to": "com.acme.rope-pack"},
               {"op": "Gelu", "to": "com.acme.rope-pack"}],
      "disable": [{"op": "relu"}, {"domain": "com.acme", "op": "Rpoe"}, {"op": "Rope"},
                  {"op": "X*"}, {"op": "*"}, {"domain": "com.acme", "op": "Ro*"}]}})"),
            "warning: DIR/manifest.json at /op_sets/a/bind/0: expected an operator of "
            "'com.acme.rope-pack', got 'Gleu'\n"
            "  note: did you mean 'Gelu'?\n"
            "warning: DIR/manifest.json at /op_sets/a/bind/1: expected an operator of "
            "'com.acme.rope-pack' at opset 1..19, got 'Gelu'\n"
            "warning: DIR/manifest.json at /op_sets/a/disable/0: expected an operator of a plugin "
            "that was found, got 'relu'\n"
            "  note: did you mean 'Relu'?\n"
            "warning: DIR/manifest.json at /op_sets/a/disable/1: expected an operator of a plugin "
            "that was found, got 'com.acme::Rpoe'\n"
            "  note: did you mean 'Rope'?\n"
            "warning: DIR/manifest.json at /op_sets/a/disable/2: expected an operator of a plugin "
            "that was found, got 'Rope'\n"
            "  note: did you mean 'Rope' of domain 'com.acme'?\n"
            "warning: DIR/manifest.json at /op_sets/a/disable/3: expected an operator of a plugin "
            "that was found, got 'X*'");
}

TEST(VersionRange, Table) {
  EXPECT_TRUE(in_range("1.4.0", ">=1.4 <2"));
  EXPECT_TRUE(in_range("1.10.0", ">1.9"));
  EXPECT_TRUE(in_range("0.0.1", ""));
  EXPECT_TRUE(in_range("1.4.0", "=1.4"));
  EXPECT_FALSE(in_range("1.3.9", ">=1.4 <2"));
  EXPECT_FALSE(in_range("2.0.0", ">=1.4 <2"));
  EXPECT_FALSE(in_range("1.4.0-rc1", ">=1.4"));
  EXPECT_FALSE(in_range("1.4.1", "<=1.4"));
  EXPECT_TRUE(is_older("1.9.0", "1.10.0") && is_older("1.4.0-rc1", "1.4.0"));
  EXPECT_FALSE(is_older("1.4.0", "1.4.0"));
}

TEST(Sha256, StandardVectors) {
  const auto hash = [](const std::string& s) {
    return sha256({reinterpret_cast<const uint8_t*>(s.data()), s.size()});
  };
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(hash(std::string(64, 'a')),
            "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
}

}  // namespace onnx2fx::plugin
