// Sources of weights that break the rules of the border: each is an error that names plugin, source
// and tensor, whatever is opened is closed, and nothing crashes.
#include <gtest/gtest.h>
#include <onnx2fx/plugin.h>

#include <array>
#include <cstring>
#include <functional>

#include "core/include/onnx2fx/convert.hpp"
#include "core/weights/weights.hpp"
#include "tests/core/models.hpp"
#include "tests/plugins/scene.hpp"

namespace onnx2fx::plugin {

namespace {

/// What the plugin does, and what was done to it.
struct Behaviour {
  std::function<o2fx_status(const o2fx_weights_host*, o2fx_ctx, const o2fx_weight_source*)> open;
  std::function<o2fx_status(const o2fx_weights_host*, o2fx_ctx, const o2fx_weight*,
                            o2fx_weight_answer*)>
      find;
  std::function<o2fx_status(const o2fx_weights_host*, o2fx_ctx, void*)> read;
  std::function<o2fx_status(uint64_t, o2fx_weight*)> list;
  int opened = 0, closed = 0, begun = 0, ended = 0;
  std::string options;
};
Behaviour* now = nullptr;

/// x.Sum: aten::add.Tensor.
o2fx_status sum(const o2fx_host_api* host, o2fx_ctx ctx, const void*) {
  std::array<o2fx_arg, 2> args{};
  for (uint32_t i = 0; i < 2; i++) {
    args[i].tag = O2FX_T_VALUE;
    args[i].u.v = host->input(ctx, i);
  }
  o2fx_emit call{};
  call.struct_size = sizeof call;
  call.target = O2FX_STR("aten::add.Tensor");
  call.args = args.data();
  call.n_args = 2;
  o2fx_value result = 0;
  if (const o2fx_status s = host->emit(ctx, &call, &result)) return s;
  return host->set_output(ctx, 0, result);
}
constexpr o2fx_op kOps[] = {{O2FX_STR("x"), O2FX_STR("Sum"), 1, 0, 0, 0, sum, nullptr}};

constexpr o2fx_str kSuffix[] = {O2FX_STR(".fake")};
constexpr o2fx_weight_scheme kSchemes[] = {{O2FX_STR("fake"), kSuffix, 1, 0}};
const o2fx_weights_ext kWeights = {
    sizeof(o2fx_weights_ext),
    kSchemes,
    1,
    [](const o2fx_weights_host* h, o2fx_ctx c, const o2fx_weight_source* asked, void**) {
      now->options.assign(asked->options.data, asked->options.len);
      const o2fx_status s = now->open ? now->open(h, c, asked) : O2FX_OK;
      if (s == O2FX_OK) now->opened++;
      return s;
    },
    [](void*) { now->closed++; },
    [](const o2fx_weights_host*, o2fx_ctx, void*, uint64_t index, o2fx_weight* out) {
      return now->list ? now->list(index, out) : O2FX_ABSENT;
    },
    [](const o2fx_weights_host* h, o2fx_ctx c, void*, const o2fx_weight* want,
       o2fx_weight_answer* out) { return now->find(h, c, want, out); },
    [](const o2fx_weights_host* h, o2fx_ctx c, void*, const o2fx_weight*, void* to) {
      return now->read(h, c, to);
    }};

o2fx_plugin table_of(const char* id) {
  o2fx_plugin p{};
  p.struct_size = sizeof p;
  p.abi_major = O2FX_ABI_MAJOR;
  p.id = {id, std::strlen(id)};
  p.version = O2FX_STR("1.0.0");
  p.ops = kOps;
  p.n_ops = 1;
  p.op_size = sizeof kOps[0];
  p.init = [](const o2fx_host_api*, o2fx_ctx) {
    now->begun++;
    return O2FX_OK;
  };
  p.deinit = [] {
    EXPECT_EQ(now->opened, now->closed);
    now->ended++;
  };
  p.get_extension = [](const char* asked) -> const void* {
    return std::strcmp(asked, O2FX_EXT_WEIGHTS) == 0 ? &kWeights : nullptr;
  };
  return p;
}

constexpr char kModel[] =
    "<ir_version: 8, opset_import: [\"\": 17, \"x\": 1]> g (float[2] a) => (float[2] y) "
    "<float[2] w = {1, 2}> { y = x.Sum(a, w) }";
constexpr char kRule[] = R"({"tensors": "w", "from": "fake", "location": "w.fake"})";

class WeightsBorder : public testing::Test {
 protected:
  WeightsBorder() {
    now = &behaviour_;
    scene_.write("w.fake", std::string("12345678abcdefgh"));
    behaviour_.find = [](const o2fx_weights_host*, o2fx_ctx, const o2fx_weight* want,
                         o2fx_weight_answer* out) {
      out->kind = O2FX_WEIGHT_RANGE;
      out->length = want->size;
      return O2FX_OK;
    };
  }
  ~WeightsBorder() override {
    EXPECT_EQ(behaviour_.opened, behaviour_.closed);
    EXPECT_EQ(behaviour_.begun, behaviour_.ended);
    now = nullptr;
  }

  /// The error of a conversion with this rule, DIR for the scene's folder; "" if it is done.
  std::string convert(const std::string& rule = kRule, const std::string& model = kModel) {
    Options options = scene_.options();
    options.manifest = scene_.manifest("\"weights\": {\"sources\": [" + rule + "]}");
    std::string text = test::error_of([&] {
      Registry registry(options);
      registry.add(&table_);
      onnx2fx::Options all;
      all.dialect = fx::Dialect::kAten;
      const Conversion c = onnx2fx::convert(
          std::make_shared<const std::string>(test::model(model).SerializeAsString()), "net.onnx",
          scene_.root(), all, &registry);
      for (const fx::Tensor& t : c.module.tensors) {
        const auto bytes = c.bytes(t.data);
        bytes_.assign(bytes.begin(), bytes.end());
        ranges_ += std::holds_alternative<fx::FileRange>(t.data.where);
      }
      warnings_ = format(c.report.warnings);
    });
    for (size_t at; (at = text.find(scene_.root())) != std::string::npos;)
      text.replace(at, scene_.root().size(), "DIR");
    return text;
  }

  static std::string fault(const std::string& what, const std::string& tensor = ", tensor 'w'") {
    return "error: source 'fake' of 'w.fake'" + tensor + ": " + what +
           "\n  note: this is a fault of plugin com.acme.fake 1.0.0";
  }
  static std::string asked_for() {
    return "\n  note: asked for by DIR/manifest.json at /weights/sources/0";
  }

  Scene scene_;
  Behaviour behaviour_;
  o2fx_plugin table_ = table_of("com.acme.fake");
  std::string bytes_, warnings_;
  int ranges_ = 0;
};

void say(const o2fx_weights_host* h, o2fx_ctx c, o2fx_status status, const char* text) {
  h->set_error(c, status, nullptr, 0, {text, std::strlen(text)});
}

}  // namespace

TEST_F(WeightsBorder, RangeIsTheFileItself) {
  EXPECT_EQ(convert(), "");
  EXPECT_EQ(bytes_, "12345678");
  EXPECT_EQ(ranges_, 1);
  EXPECT_EQ(behaviour_.options, "{}");
  EXPECT_EQ(behaviour_.opened, 1);
}

TEST_F(WeightsBorder, BytesThatAreRead) {
  behaviour_.find = [](auto*, auto, auto*, o2fx_weight_answer* out) {
    out->kind = O2FX_WEIGHT_READ;
    return O2FX_OK;
  };
  behaviour_.read = [](auto*, auto, void* to) {
    std::memcpy(to, "abcdefgh", 8);
    return O2FX_OK;
  };
  EXPECT_EQ(convert(), "");
  EXPECT_EQ(bytes_, "abcdefgh");
}

TEST_F(WeightsBorder, OptionsComeAsTheyAre) {
  EXPECT_EQ(convert(R"({"tensors": "w", "location": "w.fake", "options": {"key": [1, "a"]}})"), "");
  EXPECT_EQ(behaviour_.options, R"({"key":[1,"a"]})");
}

TEST_F(WeightsBorder, LocationOfTheModel) {
  const std::string model =
      "<ir_version: 8, opset_import: [\"\": 17, \"x\": 1]> g (float[2] a) => (float[2] y) "
      "<float[2] w = [\"location\": \"fake:w.fake\", \"offset\": \"8\"]> { y = x.Sum(a, w) }";
  behaviour_.find = [](auto*, auto, const o2fx_weight* want, o2fx_weight_answer* out) {
    EXPECT_EQ(want->stated, static_cast<uint32_t>(O2FX_STATED_OFFSET));
    EXPECT_EQ(want->length, 0u);
    *out = {sizeof *out, O2FX_WEIGHT_RANGE, 0, want->offset, want->size, 0, 0, nullptr};
    return O2FX_OK;
  };
  EXPECT_EQ(convert(R"({"tensors": "none", "location": "w.fake"})", model), "");
  EXPECT_EQ(bytes_, "abcdefgh");
}

/// A store of its own kind: the model states what lies there, in the store's terms, not in bytes of
/// the tensor.
TEST_F(WeightsBorder, CompressedOrByNameIsNotJudgedAsRawBytes) {
  const auto model = [](const std::string& entries) {
    return "<ir_version: 8, opset_import: [\"\": 17, \"x\": 1]> g (float[2] a) => (float[2] y) "
           "<float[2] w = [\"location\": \"fake:w.fake\"" +
           entries + "], float[2] v = [\"location\": \"fake:w.fake\"" + entries +
           "]> { b = x.Sum(a, w) y = x.Sum(b, v) }";
  };
  const std::string rule = R"({"tensors": "none", "location": "w.fake"})";
  std::vector<std::string> wanted;
  behaviour_.find = [&](auto*, auto, const o2fx_weight* want, o2fx_weight_answer* out) {
    wanted.push_back(std::string(want->name.data, want->name.len) + " " +
                     std::to_string(want->stated) + " " + std::to_string(want->offset) + " " +
                     std::to_string(want->length) + " " + std::to_string(want->size));
    out->kind = O2FX_WEIGHT_READ;
    return O2FX_OK;
  };
  behaviour_.read = [](auto*, auto, void* to) {
    std::memcpy(to, "abcdefgh", 8);
    return O2FX_OK;
  };
  EXPECT_EQ(convert(rule, model("")), "");
  EXPECT_EQ(wanted, (std::vector<std::string>{"w 0 0 0 8", "v 0 0 0 8"}));
  EXPECT_EQ(bytes_, "abcdefgh");
  wanted.clear();
  EXPECT_EQ(convert(rule, model(", \"offset\": \"0\", \"length\": \"4\"")), "");
  EXPECT_EQ(wanted, (std::vector<std::string>{"w 3 0 4 8", "v 3 0 4 8"}));
  wanted.clear();
  EXPECT_EQ(convert(rule, model(", \"length\": \"3\"")), "");
  EXPECT_EQ(wanted, (std::vector<std::string>{"w 2 0 3 8", "v 2 0 3 8"}));
}

TEST_F(WeightsBorder, ChecksumOfAServedFile) {
  const std::string model =
      "<ir_version: 8, opset_import: [\"\": 17, \"x\": 1]> g (float[2] a) => (float[2] y) "
      "<float[2] w = [\"location\": \"fake:w.fake\", \"checksum\": "
      "\"da39a3ee5e6b4b0d3255bfef95601890afd80709\"]> { y = x.Sum(a, w) }";
  EXPECT_EQ(convert(R"({"tensors": "none", "location": "w.fake"})", model),
            "error: net.onnx: weight 'w': file 'fake:w.fake': checksum: expected "
            "da39a3ee5e6b4b0d3255bfef95601890afd80709, got "
            "4dd81435e3f2245786426430983468d4f4041297\n"
            "  note: the file is not the one that the model was saved with");
}

TEST_F(WeightsBorder, ModelsOwn) {
  behaviour_.find = [](auto*, auto, auto*, o2fx_weight_answer* out) {
    out->kind = O2FX_WEIGHT_OWN;
    return O2FX_OK;
  };
  EXPECT_EQ(convert(), "");
  const std::array<float, 2> own = {1, 2};
  EXPECT_EQ(bytes_, std::string(reinterpret_cast<const char*>(own.data()), sizeof own));
}

TEST_F(WeightsBorder, OpenThatFails) {
  behaviour_.open = [](const o2fx_weights_host* h, o2fx_ctx c, auto*) {
    say(h, c, O2FX_E_MODEL, "expected a fake, got the real thing");
    return O2FX_E_MODEL;
  };
  EXPECT_EQ(convert(),
            "error: DIR/manifest.json at /weights/sources/0: 'w.fake': expected a fake, got the "
            "real thing");
  EXPECT_EQ(behaviour_.closed, 0);
}
TEST_F(WeightsBorder, OpenWithoutAText) {
  behaviour_.open = [](auto*, auto, auto*) { return O2FX_E_IO; };
  EXPECT_EQ(convert(), fault("open returned status -4 without a text", ""));
}
TEST_F(WeightsBorder, OpenWithAnOddStatus) {
  behaviour_.open = [](auto*, auto, auto*) { return 77; };
  EXPECT_EQ(convert(), fault("open returned status 77", ""));
}

TEST_F(WeightsBorder, FindThatFails) {
  behaviour_.find = [](const o2fx_weights_host* h, o2fx_ctx c, auto*, auto*) {
    say(h, c, O2FX_E_MODEL, "checksum: expected 1, got 2");
    return O2FX_E_MODEL;
  };
  EXPECT_EQ(convert(),
            "error: net.onnx: weight 'w': 'w.fake': checksum: expected 1, got 2" + asked_for());
}
TEST_F(WeightsBorder, FindThatBreaks) {
  behaviour_.find = [](const o2fx_weights_host* h, o2fx_ctx c, auto*, auto*) {
    say(h, c, O2FX_E_INTERNAL, "out of cheese");
    return O2FX_E_INTERNAL;
  };
  EXPECT_EQ(convert(), fault("out of cheese"));
}
TEST_F(WeightsBorder, TextOfAnotherStatus) {
  behaviour_.find = [](const o2fx_weights_host* h, o2fx_ctx c, auto*, auto*) {
    say(h, c, O2FX_E_IO, "old news");
    return O2FX_E_MODEL;
  };
  EXPECT_EQ(convert(), fault("find returned status -8 without a text"));
}
TEST_F(WeightsBorder, OddStatus) {
  behaviour_.find = [](auto*, auto, auto*, auto*) { return 77; };
  EXPECT_EQ(convert(), fault("find returned status 77"));
}
TEST_F(WeightsBorder, NoAnswer) {
  behaviour_.find = [](auto*, auto, auto*, auto*) { return O2FX_OK; };
  EXPECT_EQ(convert(), fault("find: expected an answer of RANGE, READ, META or OWN, got 0"));
}
TEST_F(WeightsBorder, RangeOutsideTheFile) {
  behaviour_.find = [](auto*, auto, auto*, o2fx_weight_answer* out) {
    *out = {sizeof *out, O2FX_WEIGHT_RANGE, 0, 12, 8, 0, 0, nullptr};
    return O2FX_OK;
  };
  EXPECT_EQ(convert(),
            fault("find: expected a range of 'w.fake' of 16 bytes, got 8 bytes at offset 12"));
}
TEST_F(WeightsBorder, RangeThatWrapsAround) {
  behaviour_.find = [](auto*, auto, auto*, o2fx_weight_answer* out) {
    *out = {sizeof *out, O2FX_WEIGHT_RANGE, 0, UINT64_MAX - 3, 8, 0, 0, nullptr};
    return O2FX_OK;
  };
  EXPECT_EQ(convert(),
            fault("find: expected a range of 'w.fake' of 16 bytes, got 8 bytes at offset "
                  "18446744073709551612"));
}
TEST_F(WeightsBorder, RangeOfAnotherLength) {
  behaviour_.find = [](auto*, auto, auto*, o2fx_weight_answer* out) {
    *out = {sizeof *out, O2FX_WEIGHT_RANGE, 0, 0, 12, 0, 0, nullptr};
    return O2FX_OK;
  };
  EXPECT_EQ(convert(), fault("find: length: expected 8 bytes, got 12"));
}
TEST_F(WeightsBorder, RangeOfAFileThatNobodyOpened) {
  behaviour_.find = [](auto*, auto, auto*, o2fx_weight_answer* out) {
    *out = {sizeof *out, O2FX_WEIGHT_RANGE, 3, 0, 8, 0, 0, nullptr};
    return O2FX_OK;
  };
  EXPECT_EQ(convert(),
            fault("find: file: expected one of 1 files that the host opened, got index 3"));
}
TEST_F(WeightsBorder, AnotherType) {
  static constexpr int64_t kDims[] = {2, 1};
  behaviour_.find = [](auto*, auto, auto*, o2fx_weight_answer* out) {
    *out = {sizeof *out, O2FX_WEIGHT_RANGE, 0, 0, 4, 10, 2, kDims};
    return O2FX_OK;
  };
  EXPECT_EQ(convert(),
            "error: net.onnx: weight 'w': 'w.fake': tensor 'w': expected float32[2], got "
            "float16[2, 1]" +
                asked_for());
}
TEST_F(WeightsBorder, DimsWithoutAnAddress) {
  behaviour_.find = [](auto*, auto, auto*, o2fx_weight_answer* out) {
    *out = {sizeof *out, O2FX_WEIGHT_RANGE, 0, 0, 8, 1, 1, nullptr};
    return O2FX_OK;
  };
  EXPECT_EQ(convert(), fault("find: dims: expected 1 of them, got NULL"));
}
TEST_F(WeightsBorder, RankBelowZero) {
  static constexpr int64_t kDims[] = {2};
  behaviour_.find = [](auto*, auto, auto*, o2fx_weight_answer* out) {
    *out = {sizeof *out, O2FX_WEIGHT_RANGE, 0, 0, 8, 1, -1, kDims};
    return O2FX_OK;
  };
  EXPECT_EQ(convert(), fault("find: rank: expected 0 to 1024, got -1"));
}
TEST_F(WeightsBorder, ReadThatFails) {
  behaviour_.find = [](auto*, auto, auto*, o2fx_weight_answer* out) {
    out->kind = O2FX_WEIGHT_READ;
    return O2FX_OK;
  };
  behaviour_.read = [](auto*, auto, auto*) { return O2FX_ABSENT; };
  EXPECT_EQ(convert(), fault("read returned status 2"));
}

TEST_F(WeightsBorder, AbsentWithTheNearestName) {
  behaviour_.find = [](auto*, auto, auto*, auto*) { return O2FX_ABSENT; };
  behaviour_.list = [](uint64_t index, o2fx_weight* out) {
    if (index > 1) return O2FX_ABSENT;
    out->name = index ? o2fx_str{"W", 1} : o2fx_str{"bias", 4};
    return O2FX_OK;
  };
  EXPECT_EQ(convert(), "error: net.onnx: weight 'w': 'w.fake': no tensor 'w'; did you mean 'W'?" +
                           asked_for());
}
TEST_F(WeightsBorder, ListWithoutAName) {
  behaviour_.find = [](auto*, auto, auto*, auto*) { return O2FX_ABSENT; };
  behaviour_.list = [](uint64_t, auto*) { return O2FX_OK; };
  EXPECT_EQ(convert(), fault("list: expected the name of tensor 0, got none", ""));
}
TEST_F(WeightsBorder, ListWithoutAnEnd) {
  behaviour_.find = [](auto*, auto, auto*, auto*) { return O2FX_ABSENT; };
  behaviour_.list = [](uint64_t, o2fx_weight* out) {
    out->name = O2FX_STR("something else");
    return O2FX_OK;
  };
  EXPECT_EQ(convert(), "error: net.onnx: weight 'w': 'w.fake': no tensor 'w'" + asked_for());
}

TEST_F(WeightsBorder, FilesAreContained) {
  const auto opening = [this](const char* location) {
    behaviour_.open = [location](const o2fx_weights_host* h, o2fx_ctx c, auto*) {
      o2fx_weight_file file{};
      file.struct_size = sizeof file;
      return h->open_file(c, {location, std::strlen(location)}, &file);
    };
    return convert();
  };
  scene_.write("other.fake", "other");
  EXPECT_EQ(opening("other.fake"), "");
  EXPECT_EQ(opening("../passwd"),
            "error: DIR/manifest.json at /weights/sources/0: '../passwd': expected a path inside "
            "the model's folder, got one with '..'");
  EXPECT_EQ(opening("/etc/passwd"),
            "error: DIR/manifest.json at /weights/sources/0: '/etc/passwd': expected a path inside "
            "the model's folder, got an absolute one");
  EXPECT_EQ(opening("gone"), fault("open returned status 2", ""));
}

TEST_F(WeightsBorder, CtxThatWasKept) {
  o2fx_ctx kept = nullptr;
  o2fx_status late = O2FX_OK;
  behaviour_.open = [&](auto*, o2fx_ctx c, auto*) {
    kept = c;
    return O2FX_OK;
  };
  behaviour_.find = [&](const o2fx_weights_host* h, o2fx_ctx, auto*, auto*) {
    o2fx_weight_file file{};
    file.struct_size = sizeof file;
    return late = h->open_file(kept, {"w.fake", 6}, &file);
  };
  EXPECT_EQ(convert(),
            fault("a ctx was used outside its callback, or while a nested lowering runs"));
  EXPECT_EQ(late, O2FX_E_INVALID);
}

TEST_F(WeightsBorder, LogIsAWarningOfTheReport) {
  behaviour_.open = [](const o2fx_weights_host* h, o2fx_ctx c, auto*) {
    h->log(c, 1, {"an old format", 13});
    return O2FX_OK;
  };
  EXPECT_EQ(convert(), "");
  EXPECT_EQ(warnings_, "warning: source 'fake' of 'w.fake': an old format");
}

// ---- the table

class WeightsTable : public testing::Test {
 protected:
  std::string refused() {
    static const o2fx_weights_ext* given;
    given = &table_;
    o2fx_plugin p = table_of("com.acme.fake");
    p.get_extension = [](const char*) -> const void* { return given; };
    const Scene scene;
    Registry registry(scene.options());
    return refusal(scene, [&] { registry.add(&p); });
  }
  o2fx_weights_ext table_ = kWeights;
  const std::string where_ = "error: plugin com.acme.fake: onnx2fx.weights/1: ";
};

TEST_F(WeightsTable, AcceptsAGoodOne) { EXPECT_EQ(refused(), ""); }
TEST_F(WeightsTable, TooSmall) {
  table_.struct_size = 24;
  EXPECT_EQ(refused(), where_ + "struct_size: expected a multiple of 8 from 64 to 65536, got 24");
}
TEST_F(WeightsTable, WithoutFunctions) {
  table_.find = nullptr;
  EXPECT_EQ(refused(), where_ + "expected the functions open, close and find, got NULL");
}
TEST_F(WeightsTable, WithoutSchemes) {
  table_.schemes = nullptr;
  EXPECT_EQ(refused(), where_ + "schemes: expected 1 to 256 rows, got NULL");
}
TEST_F(WeightsTable, SchemesThatAreNone) {
  static constexpr o2fx_weight_scheme kBad[] = {{O2FX_STR("Fake"), nullptr, 0},
                                                {O2FX_STR("a"), nullptr, 0},
                                                {O2FX_STR("a"), nullptr, 0},
                                                {O2FX_STR("b"), nullptr, 2}};
  table_.schemes = kBad;
  table_.n_schemes = 4;
  EXPECT_EQ(refused(), where_ +
                           "scheme row 0: expected a scheme such as safetensors, got 'Fake'\n" +
                           where_ + "scheme row 2: scheme 'a' stands there twice\n" + where_ +
                           "scheme row 3: suffixes: expected at most 256, got NULL");
}

}  // namespace onnx2fx::plugin
