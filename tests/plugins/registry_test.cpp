// Where descriptors are found, and which are trusted.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <onnx2fx/plugin.hpp>
#include <thread>

#include "core/plugin/descriptor_cache.hpp"
#include "core/plugin/library.hpp"
#include "core/plugin/sha256.hpp"
#include "tests/plugins/scene.hpp"

namespace onnx2fx::plugin {

namespace {

/// Sets a variable for as long as it lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { unsetenv(name_); }

 private:
  const char* name_;
};

constexpr const char* kThing = R"({"domain": "com.acme", "op": "Thing", "since": 1})";

std::vector<std::string> statuses(const Registry& registry, const Scene& scene) {
  std::vector<std::string> all;
  for (const ListedPlugin& p : registry.plugins()) {
    std::string s = p.id + ": " + p.status;
    for (size_t at; (at = s.find(scene.root())) != std::string::npos;)
      s.replace(at, scene.root().size(), "DIR");
    all.push_back(s);
  }
  return all;
}
using Lines = std::vector<std::string>;

}  // namespace

// ---- discovery

TEST(Discovery, OrderAndShadows) {
  const Scene scene;
  scene.describe("file/p.onnx2fx.json", "com.acme.a", kThing);
  scene.describe("dir/a.onnx2fx.json", "com.acme.a", kThing);
  scene.describe("dir/b.onnx2fx.json", "com.acme.b", kThing);
  scene.describe("more/c.onnx2fx.json", "com.acme.b", kThing);
  scene.write("dir/notes.json", "{");
  scene.describe("dir/sub/d.onnx2fx.json", "com.acme.d", kThing);
  Options o = scene.options();
  o.descriptors = {scene.path("file/p.onnx2fx.json")};
  o.directories = {scene.path("dir")};
  o.manifest = scene.manifest(R"("plugin_dirs": ["more"])");
  const Registry r(o);
  EXPECT_EQ(statuses(r, scene),
            (Lines{"com.acme.a: ok", "com.acme.a: shadowed by DIR/file/p.onnx2fx.json",
                   "com.acme.b: ok", "com.acme.b: shadowed by DIR/dir/b.onnx2fx.json"}));
  EXPECT_EQ(r.warnings().size(), 2u);
}

TEST(Discovery, NamedTwiceIsFoundOnce) {
  const Scene scene;
  scene.describe("dir/a.onnx2fx.json", "com.acme.a", kThing);
  scene.describe("dir/b.onnx2fx.json", "com.acme.b", kThing);
  std::filesystem::create_directory_symlink("dir", scene.path("link"));
  Options o = scene.options();
  o.descriptors = {scene.path("dir/b.onnx2fx.json")};
  o.directories = {scene.path("dir"), scene.path("link")};
  o.builtin_directory = scene.path("dir");
  const Registry r(o);
  EXPECT_EQ(statuses(r, scene), (Lines{"com.acme.b: ok", "com.acme.a: ok"}));
  EXPECT_TRUE(r.warnings().empty());
}

TEST(Discovery, MissingFolderOfTheCommandLine) {
  const Scene scene;
  Options o = scene.options();
  o.directories = {scene.path("none")};
  EXPECT_EQ(
      refusal(scene, [&] { Registry r(o); }),
      "error: --plugin-dir: expected a readable folder, got DIR/none: No such file or directory");
}

TEST(Discovery, LibraryGivenAsDescriptor) {
  const Scene scene;
  Options o = scene.options();
  o.descriptors = {scene.path("l.so")};
  EXPECT_EQ(refusal(scene, [&] { Registry r(o); }),
            "error: --plugin DIR/l.so: expected a descriptor NAME.onnx2fx.json, got another kind "
            "of file\n"
            "  note: the descriptor lies beside the library; --plugin-dir takes a whole folder");
}

TEST(Discovery, SymlinkLoopIsSkipped) {
  const Scene scene;
  std::filesystem::create_directory(scene.path("d"));
  std::filesystem::create_symlink(scene.path("d/a.onnx2fx.json"), scene.path("d/b.onnx2fx.json"));
  std::filesystem::create_symlink(scene.path("d/b.onnx2fx.json"), scene.path("d/a.onnx2fx.json"));
  Options o = scene.options();
  o.directories = {scene.path("d")};
  EXPECT_TRUE(Registry(o).plugins().empty());
}

TEST(Discovery, DefaultsAndEnvironment) {
  const Scene scene;
  scene.describe("builtin/s.onnx2fx.json", "onnx2fx.std", kThing);
  scene.describe("home/onnx2fx/plugins.d/u.onnx2fx.json", "com.acme.user", kThing);
  scene.describe("add/e.onnx2fx.json", "com.acme.added", kThing);
  scene.describe("path/p.onnx2fx.json", "com.acme.path", kThing);
  Options o = scene.options();
  o.default_plugins = true;
  o.builtin_directory = scene.path("builtin");
  const Variable home("XDG_DATA_HOME", scene.path("home"));
  const Variable add("ONNX2FX_ADD_PLUGIN_PATH", scene.path("add"));
  EXPECT_EQ(statuses(Registry(o), scene),
            (Lines{"com.acme.added: ok", "com.acme.user: ok", "onnx2fx.std: ok"}));
  {
    const Variable path("ONNX2FX_PLUGIN_PATH", scene.path("path") + ":" + scene.path("builtin"));
    const Registry r(o);
    EXPECT_EQ(statuses(r, scene), (Lines{"com.acme.path: ok", "onnx2fx.std: ok"}));
    ASSERT_EQ(r.warnings().size(), 1u);
    EXPECT_EQ(format(r.warnings()[0]),
              "warning: ONNX2FX_ADD_PLUGIN_PATH: ignored, as ONNX2FX_PLUGIN_PATH is set");
  }
  o.safe_mode = true;
  EXPECT_EQ(statuses(Registry(o), scene), (Lines{"onnx2fx.std: ok"}));
  o.safe_mode = false;
  o.default_plugins = false;
  EXPECT_EQ(statuses(Registry(o), scene), Lines{});
}

TEST(Discovery, RelativeFolderOfTheEnvironmentIsIgnored) {
  const Scene scene;
  scene.describe("d/a.onnx2fx.json", "com.acme.a", kThing);
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(scene.root());
  Options o = scene.options();
  o.default_plugins = true;
  const Variable home("XDG_DATA_HOME", "d");
  const Variable add("ONNX2FX_ADD_PLUGIN_PATH", "d:" + scene.path("d"));
  const Registry r(o);
  std::filesystem::current_path(before);
  EXPECT_EQ(statuses(r, scene), (Lines{"com.acme.a: ok"}));
  ASSERT_EQ(r.warnings().size(), 1u);
  EXPECT_EQ(format(r.warnings()[0]),
            "warning: ONNX2FX_ADD_PLUGIN_PATH: expected absolute paths, got 'd', which is ignored");
}

TEST(Discovery, BrokenDescriptorStopsOnlyWhereItWasNamed) {
  const Scene scene;
  scene.describe("d/a.onnx2fx.json", "com.acme.a", kThing);
  scene.write("d/b.onnx2fx.json", "{");
  scene.write("d/c.onnx2fx.json", R"({"plugin": {"id": "com.acme.c", "version": 1}})");
  Options o = scene.options();
  o.default_plugins = true;
  const std::string syntax =
      "line 1, column 2: syntax error while parsing object key - unexpected end of input; expected "
      "string literal";
  const Lines listed = {"com.acme.a: ok", ": refused: " + syntax,
                        "com.acme.c: refused: /: expected the key 'manifest_version', got none "
                        "(and 4 more)"};
  {
    const Variable path("ONNX2FX_PLUGIN_PATH", scene.path("d"));
    const Registry found(o);
    EXPECT_EQ(statuses(found, scene), listed);
    ASSERT_EQ(found.warnings().size(), 2u);
    EXPECT_EQ(format(found.warnings()[0]),
              "warning: " + scene.path("d/b.onnx2fx.json") + ": refused: " + syntax);
  }
  o.default_plugins = false;
  o.directories = {scene.path("d")};
  EXPECT_EQ(
      refusal(scene, [&] { Registry r(o); }),
      "error: DIR/d/b.onnx2fx.json: " + syntax +
          "\n"
          "error: DIR/d/c.onnx2fx.json: /: expected the key 'manifest_version', got none\n"
          "error: DIR/d/c.onnx2fx.json: /: expected the key 'provides', got none\n"
          "error: DIR/d/c.onnx2fx.json: /plugin: expected the key 'library', got none\n"
          "error: DIR/d/c.onnx2fx.json: /plugin: expected the key 'abi', got none\n"
          "error: DIR/d/c.onnx2fx.json: /plugin/version: expected a version MAJOR.MINOR.PATCH, got "
          "1");
  o.manifest = scene.write("manifest.json", "{");
  const Registry listing(o, Registry::Faults::kKept);
  EXPECT_EQ(statuses(listing, scene), listed);
  EXPECT_EQ(listing.faults().size(), 7u);
}

TEST(Discovery, BrokenDescriptorShadowsNothing) {
  const Scene scene;
  scene.write("d/a.onnx2fx.json", R"({"plugin": {"id": "com.acme.a"}})");
  scene.describe("d/b.onnx2fx.json", "com.acme.a", kThing);
  Options o = scene.options();
  o.default_plugins = true;
  const Variable path("ONNX2FX_PLUGIN_PATH", scene.path("d"));
  const Registry r(o);
  EXPECT_EQ(statuses(r, scene),
            (Lines{"com.acme.a: refused: /: expected the key 'manifest_version', got none (and 4 "
                   "more)",
                   "com.acme.a: ok"}));
  EXPECT_EQ(r.ops().size(), 1u);
}

TEST(Discovery, IsReadAgainOnlyWhenItChanged) {
  const Scene scene;
  const std::string a = scene.describe("d/a.onnx2fx.json", "com.acme.a", kThing);
  Options o = scene.options();
  o.directories = {scene.path("d")};
  EXPECT_EQ(statuses(Registry(o), scene), (Lines{"com.acme.a: ok"}));
  // What was just written is read again, whatever the clock of the file system can tell.
  scene.describe("d/a.onnx2fx.json", "com.acme.b", kThing);
  EXPECT_EQ(statuses(Registry(o), scene), (Lines{"com.acme.b: ok"}));
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  const auto first = descriptor_file(a, real_folder(a));
  EXPECT_EQ(descriptor_file(a, real_folder(a)), first);
  EXPECT_EQ(statuses(Registry(o), scene), (Lines{"com.acme.b: ok"}));
  EXPECT_EQ(descriptor_file(a, real_folder(a)), first);
  scene.describe("d/a.onnx2fx.json", "com.acme.c", kThing);  // of the same size
  EXPECT_EQ(statuses(Registry(o), scene), (Lines{"com.acme.c: ok"}));
  scene.describe("d/b.onnx2fx.json", "com.acme.d", kThing);
  EXPECT_EQ(statuses(Registry(o), scene), (Lines{"com.acme.c: ok", "com.acme.d: ok"}));
  std::filesystem::remove(a);
  EXPECT_EQ(statuses(Registry(o), scene), (Lines{"com.acme.d: ok"}));
}

TEST(Discovery, DisabledAndEnabled) {
  const Scene scene;
  scene.describe("builtin/s.onnx2fx.json", "onnx2fx.std", kThing);
  scene.describe("d/a.onnx2fx.json", "com.acme.a", kThing);
  scene.describe("d/b.onnx2fx.json", "org.other.b", kThing);
  Options o = scene.options();
  o.default_plugins = true;
  const Variable home("XDG_DATA_HOME", scene.path("none"));
  o.builtin_directory = scene.path("builtin");
  o.directories = {scene.path("d")};
  o.manifest = scene.manifest(R"("plugins": {"disable": ["*"], "enable": ["com.acme.*"]})");
  EXPECT_EQ(
      statuses(Registry(o), scene),
      (Lines{"com.acme.a: ok", "org.other.b: disabled by DIR/manifest.json at /plugins/disable/0",
             "onnx2fx.std: ok"}));
  o.manifest.clear();
  const Variable disable("ONNX2FX_PLUGIN_DISABLE", "*:onnx2fx.*");
  const Variable enable("ONNX2FX_PLUGIN_ENABLE", "org.*");
  EXPECT_EQ(statuses(Registry(o), scene),
            (Lines{"com.acme.a: disabled by ONNX2FX_PLUGIN_DISABLE=*", "org.other.b: ok",
                   "onnx2fx.std: disabled by ONNX2FX_PLUGIN_DISABLE=onnx2fx.*"}));
}

TEST(Discovery, OtherAbiOrPlatformIsListedWithItsReason) {
  const Scene scene;
  scene.write(
      "d/a.onnx2fx.json",
      R"({"manifest_version": "1.0", "plugin": {"id": "com.acme.a", "version": "1.0.0", "library": "l.so",
    "abi": {"major": 2, "min_minor": 1}}, "provides": {"ops": []}})");
  scene.write("d/b.onnx2fx.json",
              R"({"manifest_version": "1.0", "plugin": {"id": "com.acme.b", "version": "1.0.0",
    "library": {"macos-aarch64": "l.dylib"}, "abi": {"major": 1, "min_minor": 0}}, "provides": {"ops": []}})");
  scene.describe("d/c.onnx2fx.json", "com.acme.c", kThing,
                 R"("requires": [{"plugin": "com.acme.base", "version": ">=1 <2"}])");
  Options o = scene.options();
  o.directories = {scene.path("d")};
  EXPECT_EQ(
      statuses(Registry(o), scene),
      (Lines{"com.acme.a: needs plugin ABI 2.1, this host speaks 1.0; rebuild it against this "
             "SDK, or upgrade onnx2fx",
             "com.acme.b: has no library for this platform",
             "com.acme.c: requires 'com.acme.base' >=1 <2, which is not there"}));
}

// ---- versions that a manifest requires

/// Versions 1.2.0, 2.0.0, 1.10.0 and 1.3.0-rc1 of one plugin, a folder each, in that order.
static Options four_versions(const Scene& scene) {
  Options o = scene.options();
  for (const std::string version : {"1.2.0", "2.0.0", "1.10.0", "1.3.0-rc1"}) {
    const std::string text = scene.describe("pack.onnx2fx.json", "com.acme.a", kThing);
    std::ifstream in(text);
    std::string json((std::istreambuf_iterator<char>(in)), {});
    json.replace(json.find("1.2.3"), 5, version);
    scene.write(version + "/a.onnx2fx.json", json);
    o.directories.push_back(scene.path(version));
  }
  return o;
}

TEST(Require, TakesTheHighestVersionThatFits) {
  const Scene scene;
  Options o = four_versions(scene);
  o.manifest =
      scene.manifest(R"("plugins": {"require": [{"id": "com.acme.a", "version": ">=1.2 <2"}]})");
  const Registry r(o);
  const std::string shadowed =
      "com.acme.a: shadowed by DIR/1.10.0/a.onnx2fx.json, as asked by DIR/manifest.json at "
      "/plugins/require/0";
  EXPECT_EQ(statuses(r, scene), (Lines{shadowed, shadowed, "com.acme.a: ok", shadowed}));
  EXPECT_TRUE(r.warnings().empty());
}

TEST(Require, WithoutARangeTheFirstFoundCounts) {
  const Scene scene;
  Options o = four_versions(scene);
  o.manifest = scene.manifest(R"("plugins": {"require": [{"id": "com.acme.a"}]})");
  EXPECT_EQ(statuses(Registry(o), scene).front(), "com.acme.a: ok");
}

TEST(Require, NoVersionThatFits) {
  const Scene scene;
  Options o = four_versions(scene);
  o.manifest =
      scene.manifest(R"("plugins": {"require": [{"id": "com.acme.a", "version": ">=3"}]})");
  EXPECT_EQ(refusal(scene, [&] { Registry r(o); }),
            "error: DIR/manifest.json at /plugins/require/0: expected plugin 'com.acme.a' >=3, got "
            "1.2.0\n"
            "  note: found: com.acme.a 1.2.0: ok\n"
            "  note: found: com.acme.a 2.0.0: shadowed by DIR/1.2.0/a.onnx2fx.json\n"
            "  note: found: com.acme.a 1.10.0: shadowed by DIR/1.2.0/a.onnx2fx.json\n"
            "  note: found: com.acme.a 1.3.0-rc1: shadowed by DIR/1.2.0/a.onnx2fx.json");
}

TEST(Require, OneThatCannotServeIsPassedOver) {
  const Scene scene;
  Options o = four_versions(scene);
  scene.write("2.0.0/a.onnx2fx.json",
              R"({"manifest_version": "1.0", "plugin": {"id": "com.acme.a", "version": "2.0.0",
    "library": "l.so", "abi": {"major": 2, "min_minor": 0}}, "provides": {"ops": []}})");
  o.manifest =
      scene.manifest(R"("plugins": {"require": [{"id": "com.acme.a", "version": ">=1"}]})");
  EXPECT_EQ(statuses(Registry(o), scene)[2], "com.acme.a: ok");
}

// ---- security

TEST(Security, WritableByOthers) {
  const Scene scene;
  scene.describe("d/a.onnx2fx.json", "com.acme.a", kThing);
  chmod(scene.path("d").c_str(), 01777);
  Options o = scene.options();
  o.directories = {scene.path("d")};
  {
    const Registry r(o);  // the command line warns
    EXPECT_EQ(statuses(r, scene), (Lines{"com.acme.a: ok"}));
    ASSERT_EQ(r.warnings().size(), 1u);
    EXPECT_EQ(r.warnings()[0].what, "accepted although insecure: " + scene.path("d") +
                                        ": writable by others (mode 1777)");
  }
  o.directories.clear();
  o.default_plugins = true;
  const Variable path("ONNX2FX_PLUGIN_PATH", scene.path("d"));
  EXPECT_EQ(statuses(Registry(o), scene),
            (Lines{"com.acme.a: refused: DIR/d: writable by others (mode 1777)"}));
  o.allow_insecure = true;
  EXPECT_EQ(statuses(Registry(o), scene), (Lines{"com.acme.a: ok"}));
}

TEST(Security, FolderAboveThatAllMayWriteTo) {
  const Scene scene;
  scene.describe("open/d/a.onnx2fx.json", "com.acme.a", kThing);
  chmod(scene.path("open").c_str(), 0777);
  Options o = scene.options();
  o.default_plugins = true;
  const Variable path("ONNX2FX_PLUGIN_PATH", scene.path("open/d"));
  EXPECT_EQ(statuses(Registry(o), scene),
            (Lines{"com.acme.a: refused: DIR/open: writable by others (mode 0777)"}));
  chmod(scene.path("open").c_str(), 01777);  // nobody can put another folder in the place of d
  EXPECT_EQ(statuses(Registry(o), scene), (Lines{"com.acme.a: ok"}));
  std::filesystem::create_directory(scene.path("links"));
  std::filesystem::create_directory_symlink(scene.path("open/d"), scene.path("links/d"));
  chmod(scene.path("links").c_str(), 0777);
  const Variable link("ONNX2FX_PLUGIN_PATH", scene.path("links/d"));
  EXPECT_EQ(statuses(Registry(o), scene),
            (Lines{"com.acme.a: refused: DIR/links: writable by others (mode 0777)"}));
}

TEST(Security, LibraryWritableByOthersIsNotLoadedFromTheEnvironment) {
  const Scene scene;
  scene.describe("d/a.onnx2fx.json", "com.acme.a", kThing);
  scene.write("d/l.so", "");
  chmod(scene.path("d/l.so").c_str(), 0666);
  Options o = scene.options();
  o.default_plugins = true;
  const Variable path("ONNX2FX_PLUGIN_PATH", scene.path("d"));
  Registry r(o);
  EXPECT_EQ(refusal(scene, [&] { r.candidates("com.acme", "Thing", 1); }),
            "error: DIR/d/l.so: writable by others (mode 0666): expected a library that only root "
            "and this user can change\n"
            "  note: fix the mode, or give --allow-insecure-plugins");
}

TEST(Security, Sha256IsChecked) {
  const Scene scene;
  const std::string so = scene.copy("rope.so", "d/l.so");
  std::ifstream in(so, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const std::string hash = sha256({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  const std::string ops =
      R"({"domain": "com.acme", "op": "Rope", "since": 1}, {"domain": "com.acme", "op": "Halve", "since": 1})";
  std::string descriptor =
      R"({"manifest_version": "1.0", "plugin": {"id": "com.acme.rope-pack", "version": "1.4.0", "library": "l.so",
    "sha256": ")" +
      hash + R"(", "abi": {"major": 1, "min_minor": 0}}, "provides": {"ops": [)" + ops + "]}}";
  scene.write("d/p.onnx2fx.json", descriptor);
  Options o = scene.options();
  o.directories = {scene.path("d")};
  EXPECT_EQ(Registry(o).candidates("com.acme", "Rope", 1).size(), 1u);
  o.manifest =
      scene.manifest(R"("plugins": {"require": [{"id": "com.acme.rope-pack", "sha256": ")" +
                     std::string(64, 'a') + "\"}]}");
  EXPECT_EQ(refusal(scene, [&] { Registry(o).candidates("com.acme", "Rope", 1); }),
            "error: DIR/d/l.so: sha256: expected " + std::string(64, 'a') + ", got " + hash);
}

// ---- libraries that change while the process runs

namespace {

std::string hash_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  return sha256({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

std::string id_of(const o2fx_plugin* table) { return {table->id.data, table->id.len}; }

}  // namespace

TEST(LoadedLibrary, SeveralWithAHashKeepApart) {
  const Scene scene;
  const std::string a = scene.copy("rope.so", "a.so"), b = scene.copy("xor.so", "b.so"),
                    c = scene.copy("example_pack.so", "c.so");
  EXPECT_EQ(id_of(load_library(a, hash_of(a))), "com.acme.rope-pack");
  EXPECT_EQ(id_of(load_library(b, hash_of(b))), "com.acme.xor");
  EXPECT_EQ(id_of(load_library(c, hash_of(c))), "com.example.pack");
  EXPECT_EQ(load_library(a, hash_of(a)), load_library(a, ""));
}

TEST(LoadedLibrary, FileInItsPlaceIsLoadedAnew) {
  const Scene scene;
  for (const bool hashed : {false, true}) {
    const std::string path = scene.path("l.so");
    const auto load = [&] { return load_library(path, hashed ? hash_of(path) : ""); };
    scene.copy("rope.so", "l.so");
    const o2fx_plugin* before = load();
    EXPECT_EQ(id_of(before), "com.acme.rope-pack");
    EXPECT_EQ(load(), before);
    std::filesystem::remove(path);
    scene.copy("example_pack.so", "l.so");
    EXPECT_EQ(id_of(load()), "com.example.pack");
    std::filesystem::remove(path);
    scene.copy("rope.so", "l.so");
    EXPECT_EQ(id_of(load()), "com.acme.rope-pack");
    EXPECT_NE(load(), before);
    EXPECT_EQ(id_of(before), "com.acme.rope-pack");
    std::filesystem::remove(path);
  }
}

TEST(LoadedLibrary, FileThatWasWrittenIntoIsNeverSilentlyTheOldOne) {
  const Scene scene;
  const std::string path = scene.copy("hostile_no_deps.so", "l.so");
  EXPECT_EQ(id_of(load_library(path, "")), "com.acme.table");
  std::ofstream(path, std::ios::binary | std::ios::app) << "more";
  EXPECT_EQ(refusal(scene, [&] { load_library(path, ""); }),
            "error: DIR/l.so: expected the library that is in use, or another file in its place, "
            "got the same file, written to since\n"
            "  note: end this process; next time remove the file before it is written anew");
  // One with a hash is mapped from a copy: what is written into the file does not matter to it.
  const std::string hashed = scene.copy("hostile_no_deps.so", "h.so");
  const o2fx_plugin* before = load_library(hashed, hash_of(hashed));
  std::ofstream(hashed, std::ios::binary | std::ios::app) << "more";
  const o2fx_plugin* after = load_library(hashed, hash_of(hashed));
  EXPECT_NE(before, after);
  EXPECT_EQ(id_of(after), "com.acme.table");
}

// ---- in process

TEST(InProcess, OverridesWithoutMoreConsentAndIsAskedAnew) {
  const auto decline = [](const o2fx_host_api*, o2fx_ctx, const void*) -> o2fx_status {
    return O2FX_DECLINE;
  };
  static const o2fx_op ops[] = {
      {O2FX_STR("com.acme"), O2FX_STR("Rope"), 1, 0, 0, 0, decline, nullptr}};
  static const o2fx_plugin table = plugin_table("com.acme.mine", "1.0.0", ops, 1);
  const Scene scene;
  Options o = scene.options();
  o.default_plugins = true;
  const Variable home("XDG_DATA_HOME", scene.path("none"));
  o.builtin_directory = std::string(ONNX2FX_TEST_LIBRARIES);
  Registry r(o);
  const auto& before = r.candidates("com.acme", "Rope", 1);
  ASSERT_EQ(before.size(), 1u);
  const Plugin& mine = r.add(&table);
  const auto& after = r.candidates("com.acme", "Rope", 1);
  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(after[0].plugin, &mine);
  EXPECT_EQ(before.size(), 1u);  // answers given stay as they are
}

}  // namespace onnx2fx::plugin
