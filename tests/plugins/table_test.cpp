// Libraries and tables that a host must refuse, each before it could do harm.
#include "core/plugin/table.hpp"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstring>

#include "tests/plugins/scene.hpp"

namespace onnx2fx::plugin {

namespace {

o2fx_status decline(const o2fx_host_api*, o2fx_ctx, const void*) { return O2FX_DECLINE; }

struct Table {
  std::vector<o2fx_op> ops{{O2FX_STR("com.acme"), O2FX_STR("Thing"), 1, 0, 0, 0, decline, nullptr}};
  o2fx_plugin table{sizeof(o2fx_plugin),
                    1,
                    0,
                    0,
                    0,
                    O2FX_STR("com.acme.table"),
                    O2FX_STR("1.0.0"),
                    nullptr,
                    1,
                    sizeof(o2fx_op),
                    nullptr,
                    nullptr,
                    nullptr};
  std::string refused() {
    if (!table.ops) table.ops = ops.data();
    return text();
  }
  std::string text() {
    const Scene scene;
    Registry registry(scene.options());
    return refusal(scene, [&] { registry.add(&table); });
  }
};

const std::string kWhere = "error: a plugin registered in process: ";

/// What the load of `file` says, when it claims to be the pack of `descriptor` from the test build.
std::string load_refusal(const Scene& scene, const std::string& descriptor) {
  Options o = scene.options();
  o.descriptors = {descriptor};
  Registry registry(o);
  return refusal(scene, [&] { registry.candidates("com.acme", "Thing", 1); });
}
std::string described_library(const Scene& scene) {
  return scene.describe("p.onnx2fx.json", "com.acme.table",
                        R"({"domain": "com.acme", "op": "Thing", "since": 1})");
}
std::string text_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST(Table, AcceptsAGoodOne) { EXPECT_EQ(Table().refused(), ""); }

TEST(Table, AcceptsOneThatGrew) {
  struct Newer {
    o2fx_plugin base;
    void* appended[4];
  };
  Table t;
  Newer newer{t.table, {}};
  newer.base.struct_size = sizeof newer;
  newer.base.abi_minor = 9;
  newer.base.ops = t.ops.data();
  const Scene scene;
  Registry registry(scene.options());
  EXPECT_EQ(refusal(scene, [&] { registry.add(&newer.base); }), "");
}

TEST(Table, Null) {
  const Scene scene;
  Registry registry(scene.options());
  EXPECT_EQ(refusal(scene, [&] { registry.add(nullptr); }),
            kWhere + "onnx2fx_plugin_entry_1: expected a table, got NULL");
}
TEST(Table, WrongMajor) {
  Table t;
  t.table.abi_major = 2;
  EXPECT_EQ(t.refused(), kWhere +
                             "plugin ABI 2.0, this host speaks 1.0\n"
                             "  note: rebuild the plugin against this SDK, or upgrade onnx2fx");
}
TEST(Table, NeedsANewerHost) {
  Table t;
  t.table.abi_minor = t.table.abi_min_minor = 7;
  EXPECT_EQ(
      t.refused(),
      kWhere + "needs a host of ABI 1.7 or newer, this host speaks 1.0\n  note: upgrade onnx2fx");
}
TEST(Table, BuiltNewerButContentWithOurMinor) {
  Table t;
  t.table.abi_minor = 7;
  EXPECT_EQ(t.refused(), "");
}
// Whichever is newer: what counts is the oldest host that the plugin can live with.
TEST(Table, EveryMinorOnEveryHost) {
  for (uint32_t host = 0; host < 4; host++)
    for (uint32_t built = 0; built < 4; built++)
      for (uint32_t least = 0; least <= built; least++) {
        Table t;
        t.table.ops = t.ops.data();
        t.table.abi_minor = built;
        t.table.abi_min_minor = least;
        const std::string minors =
            std::to_string(least) + " or newer, this host speaks 1." + std::to_string(host);
        EXPECT_EQ(refusal(Scene(), [&] { accepted_table(&t.table, "here", host); }),
                  least <= host ? ""
                                : "error: here: needs a host of ABI 1." + minors +
                                      "\n  note: upgrade onnx2fx");
      }
}
TEST(Table, ShortStruct) {
  Table t;
  t.table.struct_size = 8;
  EXPECT_EQ(t.refused(), kWhere + "struct_size: expected a multiple of 8 from 96 to 65536, got 8");
}
TEST(Table, HugeStruct) {
  Table t;
  t.table.struct_size = UINT64_MAX - 7;
  EXPECT_EQ(
      t.refused(),
      kWhere + "struct_size: expected a multiple of 8 from 96 to 65536, got 18446744073709551608");
}
TEST(Table, NoRowsBehindACount) {
  Table t;
  EXPECT_EQ(t.text(), kWhere + "ops: expected 1 rows, got NULL");
}
TEST(Table, ShortRows) {
  Table t;
  t.table.op_size = 32;
  EXPECT_EQ(t.refused(), kWhere + "op_size: expected a multiple of 8 from 64 to 65536, got 32");
}
TEST(Table, UnknownFlags) {
  Table t;
  t.table.flags = 6;
  EXPECT_EQ(t.refused(), kWhere + "flags: expected known ones, got 6");
}
TEST(Table, NamelessPlugin) {
  Table t;
  t.table.id = {nullptr, 0};
  EXPECT_EQ(t.refused(), kWhere + "id: expected a name in UTF-8, got none");
}
TEST(Table, RowsWithEveryFault) {
  Table t;
  t.ops[0].since_opset = 0;
  t.ops[0].lower = nullptr;
  t.ops.push_back({O2FX_STR("com.acme"), O2FX_STR("Other"), 5, 4, 1, 0, decline, nullptr});
  t.ops.push_back({O2FX_STR("com.acme"), O2FX_STR(""), 1, 0, 0, 0, decline, nullptr});
  t.ops.push_back({O2FX_STR("com.acme"), O2FX_STR("\xFF\xFE"), 1, 0, 0, 0, decline, nullptr});
  t.table.n_ops = 4;
  EXPECT_EQ(
      t.refused(),
      kWhere + "op row 0 (com.acme::Thing): since_opset: expected at least 1, got 0\n" +  //
          kWhere + "op row 0 (com.acme::Thing): lower: expected a function, got NULL\n" + kWhere +
          "op row 1 (com.acme::Other): until_opset: expected 0 or at least 5, got 4\n" + kWhere +
          "op row 1 (com.acme::Other): flags and reserved: expected 0, got another value\n" +
          kWhere + "op row 2: expected domain and op_type in UTF-8, got something else\n" + kWhere +
          "op row 3: expected domain and op_type in UTF-8, got something else");
}
TEST(Table, SameRowTwice) {
  Table t;
  t.ops[0].domain = O2FX_STR("");
  t.ops.push_back({O2FX_STR("ai.onnx"), O2FX_STR("Thing"), 1, 0, 0, 0, decline, nullptr});
  t.table.n_ops = 2;
  EXPECT_EQ(t.refused(), kWhere + "op row 1 (Thing): since_opset 1 already stands in row 0");
}
TEST(Table, SameIdTwice) {
  Table a, b;
  a.table.ops = a.ops.data();
  b.table.ops = b.ops.data();
  const Scene scene;
  Registry registry(scene.options());
  registry.add(&a.table);
  EXPECT_EQ(refusal(scene, [&] { registry.add(&b.table); }),
            "error: plugin 'com.acme.table': expected an id that is not taken, got one that is");
}

// ---- files

TEST(Library, GoodOneIsLoadedOnlyWhenAskedFor) {
  const Scene scene;
  Options o = scene.options();
  o.descriptors = {library("rope.onnx2fx.json")};
  Registry registry(o);
  EXPECT_TRUE(registry.loaded().empty());
  const auto& candidates = registry.candidates("com.acme", "Rope", 1);
  ASSERT_EQ(candidates.size(), 1u);
  EXPECT_EQ(candidates[0].plugin->id, "com.acme.rope-pack");
  EXPECT_EQ(candidates[0].plugin->torch_targets, std::vector<std::string>{"acme::rope"});
  EXPECT_EQ(std::string(candidates[0].row->op_type.data), "Rope");
  EXPECT_EQ(registry.loaded().size(), 1u);
}
TEST(Library, Missing) {
  const Scene scene;
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: cannot be opened: No such file or directory");
}
TEST(Library, TextFile) {
  const Scene scene;
  scene.write("l.so", "INPUT(libother.so)\n");
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: expected an ELF shared library, got a text file");
}
TEST(Library, EmptyFile) {
  const Scene scene;
  scene.write("l.so", "");
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: expected an ELF shared library, got an empty file");
}
TEST(Library, PipeOrDeviceIsNotWaitedFor) {
  const std::string fault =
      "error: DIR/l.so: cannot be opened: expected a regular file, got a device or pipe";
  const Scene scene;
  ASSERT_EQ(mkfifo(scene.path("l.so").c_str(), 0600), 0);
  EXPECT_EQ(load_refusal(scene, described_library(scene)), fault);
  std::filesystem::remove(scene.path("l.so"));
  const int made = mknod(scene.path("l.so").c_str(), S_IFCHR | 0600, makedev(1, 5));  // zeros
  if (made == 0) {
    EXPECT_EQ(load_refusal(scene, described_library(scene)), fault);
  }
  std::filesystem::remove(scene.path("l.so"));
  std::filesystem::create_directory(scene.path("l.so"));
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: cannot be opened: expected a regular file, got a folder");
}
TEST(Library, WindowsLibrary) {
  const Scene scene;
  scene.write("l.so", std::string("MZ\x90\0\3", 5));
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: expected an ELF shared library, got a Windows library");
}
TEST(Library, MacLibrary) {
  for (const char* magic : {"\xCF\xFA\xED\xFE", "\xCE\xFA\xED\xFE", "\xFE\xED\xFA\xCF",
                            "\xFE\xED\xFA\xCE", "\xCA\xFE\xBA\xBE", "\xCA\xFE\xBA\xBF"}) {
    const Scene scene;
    scene.write("l.so", magic + std::string("\7\0\0\1", 4));
    EXPECT_EQ(load_refusal(scene, described_library(scene)),
              "error: DIR/l.so: expected an ELF shared library, got a macOS library");
  }
}
TEST(Library, Of32BitsOrBigEndian) {
  const Scene scene;
  Elf32_Ehdr narrow{};
  std::memcpy(narrow.e_ident, ELFMAG, SELFMAG);
  narrow.e_ident[EI_CLASS] = ELFCLASS32;
  scene.write("l.so", std::string(reinterpret_cast<const char*>(&narrow), sizeof narrow));
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: expected a 64-bit library, got a 32-bit one");
  std::string other = text_of(library("rope.so"));
  other[EI_DATA] = ELFDATA2MSB;
  scene.write("l.so", other);
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: expected a 64-bit little-endian library, got another kind of ELF "
            "file");
}
TEST(Library, Truncated) {
  const std::string whole = text_of(library("rope.so"));
  for (const size_t size :
       {size_t{5}, size_t{63}, size_t{64}, size_t{700}, whole.size() / 2, whole.size() - 1}) {
    const Scene scene;
    scene.write("l.so", whole.substr(0, size));
    EXPECT_EQ(load_refusal(scene, described_library(scene)),
              "error: DIR/l.so: expected a whole ELF file, got a truncated or damaged one")
        << size;
  }
}
TEST(Library, DamagedAnywhereIsRefusedOrHarmless) {
  const std::string whole = text_of(library("rope.so"));
  for (size_t at = 0; at < sizeof(Elf64_Ehdr); at++) {
    const Scene scene;
    std::string damaged = whole;
    damaged[at] = static_cast<char>(~damaged[at]);
    scene.write("l.so", damaged);
    EXPECT_NE(load_refusal(scene, described_library(scene)), "") << at;
  }
}
TEST(Library, OtherMachine) {
  const Scene scene;
  std::string other = text_of(library("rope.so"));
  other[offsetof(Elf64_Ehdr, e_machine)] = static_cast<char>(EM_RISCV);
  scene.write("l.so", other);
#if defined(__x86_64__)
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: expected a library for x86_64, got one for riscv");
#else
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: expected a library for aarch64, got one for riscv");
#endif
}
TEST(Library, NoEntry) {
  const Scene scene;
  scene.copy("hostile_no_entry.so", "l.so");
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: exports no onnx2fx_plugin_entry_1\n  note: a plugin is built with "
            "onnx2fx_add_plugin()");
}
TEST(Library, EntryOfTheNextMajor) {
  const Scene scene;
  scene.copy("hostile_entry_2.so", "l.so");
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: plugin ABI 2, this host speaks 1.0\n"
            "  note: rebuild the plugin against this SDK, or upgrade onnx2fx");
}
TEST(Library, TableOfAnotherMajor) {
  const Scene scene;
  scene.copy("hostile_major.so", "l.so");
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: plugin ABI 2.0, this host speaks 1.0\n"
            "  note: rebuild the plugin against this SDK, or upgrade onnx2fx");
}
TEST(Library, TableThatNeedsANewerHost) {
  const Scene scene;
  scene.copy("hostile_min_minor.so", "l.so");
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: needs a host of ABI 1.7 or newer, this host speaks 1.0\n  note: "
            "upgrade onnx2fx");
}
TEST(Library, UndefinedSymbolIsTold) {
  const Scene scene;
  scene.copy("hostile_undefined.so", "l.so");
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: undefined symbol: a_function_that_nobody_has");
}
TEST(Library, DescriptorDisagrees) {
  const Scene scene;
  scene.copy("rope.so", "l.so");
  EXPECT_EQ(load_refusal(scene, described_library(scene)),
            "error: DIR/l.so: id: expected 'com.acme.table' as in the descriptor, got "
            "'com.acme.rope-pack'\n"
            "  note: the descriptor is DIR/p.onnx2fx.json\n"
            "error: DIR/l.so: version: expected 1.2.3 as in the descriptor, got 1.4.0\n"
            "  note: the descriptor is DIR/p.onnx2fx.json\n"
            "error: DIR/l.so: ops: the descriptor promises what the library lacks: com.acme::Thing "
            "since 1\n"
            "  note: the descriptor is DIR/p.onnx2fx.json\n"
            "error: DIR/l.so: ops: the library has what the descriptor does not say: "
            "com.acme::Halve since 1, "
            "com.acme::Rope since 1\n"
            "  note: the descriptor is DIR/p.onnx2fx.json");
}
TEST(Library, Sha256) {
  const Scene scene;
  scene.write("l.so", "text");
  const std::string ops = R"({"domain": "com.acme", "op": "Thing", "since": 1})";
  scene.copy("rope.so", "rope.so");
  std::filesystem::rename(scene.path("rope.so"), scene.path("l.so"));
  const auto p = scene.describe("p.onnx2fx.json", "com.acme.rope-pack", ops,
                                "\"sha256\": \"" + std::string(64, '0') + "\"");
  const std::string text = load_refusal(scene, p);
  EXPECT_EQ(text.substr(0, 98),
            "error: DIR/l.so: sha256: expected "
            "0000000000000000000000000000000000000000000000000000000000000000");
}

}  // namespace onnx2fx::plugin
