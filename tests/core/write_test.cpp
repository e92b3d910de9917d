#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "core/fx/passes.hpp"
#include "core/write/json_text.hpp"
#include "core/write/package.hpp"
#include "onnx2fx/diagnostic.hpp"
#include "tests/core/fx_program.hpp"

namespace onnx2fx::write {
namespace {

namespace fs = std::filesystem;
using fx::Argument;
using fx::NodeRef;
using weights::Mode;
using Json = nlohmann::ordered_json;

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

Stored in_memory(const fx::TensorData& data) {
  auto bytes = std::get_if<std::shared_ptr<const std::string>>(&data.where);
  if (!bytes) return {};
  return bytes_of(**bytes);
}

std::string read(const fs::path& file) {
  std::ostringstream s;
  s << std::ifstream(file, std::ios::binary).rdbuf();
  return s.str();
}

std::string message(const std::function<void()>& f) {
  try {
    f();
  } catch (const ConversionError& e) {
    return e.what();
  }
  return "nothing thrown";
}

fx::Module linear() {
  fx::ProgramBuilder b;
  NodeRef x = b.input("x", {"N", "3"}), w = b.weight("fc.weight", {4, 3}),
          c = b.weight("fc.bias", {4});
  fx::Module m = b.finish({b.call("aten::linear", {x, w, c}, {}, {"N", "4"}, "/fc/Gemm")});
  fx::assign_paths(m);
  return m;
}

class WriteTest : public testing::Test {
 protected:
  WriteTest() {
    std::string pattern = (fs::temp_directory_path() / "onnx2fx-write-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~WriteTest() override { fs::remove_all(folder_); }
  std::vector<std::string> entries(const fs::path& folder) {
    std::vector<std::string> names;
    for (auto& e : fs::directory_iterator(folder)) names.push_back(e.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  fs::path folder_;
};

TEST(JsonText, QuotesAsJsonAsks) {
  EXPECT_EQ(json("a \"b\"\\\n\x01"), R"("a \"b\"\\\n\u0001")");
  EXPECT_EQ(json("caf\xc3\xa9"), "\"caf\xc3\xa9\"");
  EXPECT_EQ(json("\xff"), "\"\xef\xbf\xbd\"");
  EXPECT_EQ(json(std::vector<int64_t>{1, -2}), "[1,-2]");
  EXPECT_EQ(json(1.0) + json(0.1) + json(true), "1.00.1true");
  EXPECT_EQ(json(-std::numeric_limits<double>::infinity()), R"({"float":"-inf"})");
}

TEST(JsonText, OfAKeyThatIsThereTwiceTheLastIsWritten) {
  const std::vector<std::pair<std::string, std::string>> texts = {
      {"a", "1"}, {"b", "2"}, {"a", "3"}};
  EXPECT_EQ(json_object(texts), R"({"a":"3","b":"2"})");
}

TEST(GraphJson, IsTheDocumentedForm) {
  fx::Module m = linear();
  m.metadata = {{"producer_name", "test"}};
  EXPECT_EQ(graph_json(m, {Mode::kCopy, ""}), R"({
"format": "onnx2fx.graph",
"version": "1.2",
"generator": "onnx2fx 0.1.0",
"dialect": "aten",
"weights": "copy",
"inputs": [
{"name":"x","onnx_name":"x","dtype":"float32","shape":["N",3]}],
"outputs": [
{"name":"n3","onnx_name":"n3","dtype":null,"shape":null}],
"programs": [
{"name": "root", "nodes": [
{"op":"placeholder","name":"x","type":{"dtype":"float32","shape":["N",3]}},
{"op":"get_attr","name":"w1","tensor":0},
{"op":"get_attr","name":"w2","tensor":1},
{"op":"call_function","name":"n3","target":"aten::linear","args":[{"node":"x"},{"node":"w1"},{"node":"w2"}],"onnx":0,"type":{"dtype":"float32","shape":["N",4]}},
{"op":"output","name":"output","args":[[{"node":"n3"}]]}]}],
"tensors": [
{"name":"fc.weight","path":"fc.weight","dtype":"float32","shape":[4,3],"role":"parameter","requires_grad":true,"data":{"safetensors":"fc.weight"}},
{"name":"fc.bias","path":"fc.bias","dtype":"float32","shape":[4],"role":"parameter","requires_grad":true,"data":{"safetensors":"fc.bias"}}],
"modules": [],
"sources": [],
"provenance": [
{"name":"/fc/Gemm","op_type":"","domain":"","opset":0,"outputs":[],"plugin":"","plugin_version":""}],
"metadata": {"producer_name":"test"}
}
)");
}

TEST(GraphJson, EncodesEveryArgument) {
  fx::ProgramBuilder b;
  NodeRef x = b.input("x", {"2"});
  NodeRef y = b.call("aten::f", {{},
                                 true,
                                 int64_t{-3},
                                 1.0,
                                 1e300,
                                 INFINITY,
                                 -INFINITY,
                                 NAN,
                                 "text",
                                 x,
                                 fx::ProgramRef{0},
                                 fx::Dtype{"float32"},
                                 fx::Device{"cpu"},
                                 fx::Layout{"strided"},
                                 fx::MemoryFormat{"contiguous_format"},
                                 fx::Training{},
                                 fx::DeviceOf{x},
                                 fx::List{int64_t{1}, fx::List{}},
                                 fx::Slice{{x, {}, int64_t{2}}}});
  Json j = Json::parse(graph_json(b.finish({y}), {}));
  EXPECT_EQ(
      j["programs"][0]["nodes"][1]["args"].dump(),
      R"([null,true,-3,1.0,1e+300,{"float":"inf"},{"float":"-inf"},{"float":"nan"},"text",{"node":"x"},)"
      R"({"program":"root"},{"dtype":"float32"},{"device":"cpu"},{"layout":"strided"},)"
      R"({"memory_format":"contiguous_format"},{"training":true},{"device_of":"x"},[1,[]],)"
      R"({"slice":[{"node":"x"},null,2]}])");
}

TEST(GraphJson, OneResultStandsAsItIs) {
  fx::Module m = linear();
  fx::Node& output = m.programs[0].nodes.back();
  output.args = {(*output.args[0].as<fx::List>())[0]};
  Json j = Json::parse(graph_json(m, {}));
  EXPECT_EQ(j["programs"][0]["nodes"].back()["args"].dump(), R"([{"node":"n3"}])");
}

TEST_F(WriteTest, SourcesAreListedOnceAndOnlyWhereUsed) {
  fx::Module m = linear();
  fs::path model = folder_ / "model.onnx";
  std::ofstream(model) << "bytes";
  m.sources = {{"unused", 1, 0}, {model.string(), 5, 1760000000000000001}};
  m.tensors[0].data.where = fx::FileRange{1, 8, 48};
  Json reference = Json::parse(graph_json(m, {Mode::kReference, folder_ / "out" / "package"}));
  EXPECT_EQ(reference["tensors"][0]["data"].dump(), R"({"source":0,"offset":8,"length":48})");
  EXPECT_EQ(reference["tensors"][1]["data"].dump(), R"({"safetensors":"fc.bias"})");
  ASSERT_EQ(reference["sources"].size(), 1u);
  EXPECT_EQ(reference["sources"][0]["relative"], "../../model.onnx");
  EXPECT_EQ(reference["sources"][0]["path"], model.string());
  EXPECT_EQ(reference["sources"][0]["size"], 5);
  EXPECT_EQ(reference["sources"][0]["mtime_ns"], 1760000000000000001);

  Json memory = Json::parse(graph_json(m, {std::nullopt, ""}));
  EXPECT_EQ(memory["tensors"][1]["data"].dump(), R"({"memory":0})");
  ASSERT_EQ(memory["sources"].size(), 2u);
  EXPECT_EQ(memory["tensors"][0]["data"]["source"], 1);
  EXPECT_TRUE(memory["sources"][1]["relative"].is_null());
  EXPECT_EQ(memory_buffers(m).size(), 1u);

  m.tensors[0].data.where = {};
  EXPECT_TRUE(Json::parse(graph_json(m, {Mode::kMeta, ""}))["tensors"][0]["data"].is_null());
  fs::remove(model);
  m.tensors[0].data.where = fx::FileRange{1, 8, 48};
  EXPECT_EQ(
      message([&] {
        graph_json(m, {Mode::kReference, folder_});
      }),
      "error: " + model.string() + ": expected the model's file, got: No such file or directory");
}

TEST_F(WriteTest, SafetensorsIsAlignedAndNamesTiedTensors) {
  fx::ProgramBuilder b;
  NodeRef ids = b.input("ids", {"N"}), w = b.weight("emb.weight", {5, 3});
  NodeRef e = b.call("aten::embedding", {w, ids});
  NodeRef t = b.call("aten::t", {b.again(0)});
  NodeRef h = b.call("aten::matmul", {e, t}, {}, {}, "/head/MatMul"),
          v = b.weight("v.weight", {5, 2});
  fx::Module m = b.finish({b.call("aten::matmul", {h, v})});
  fx::run_passes(m, {.dialect = fx::Dialect::kNn});
  m.tensors.push_back({"flag",
                       "flag",
                       "bool",
                       {3},
                       fx::Role::kBuffer,
                       false,
                       {std::make_shared<const std::string>("\0\1\0", 3)}});
  m.tensors.push_back({"big",
                       "big",
                       "int64",
                       {},
                       fx::Role::kBuffer,
                       false,
                       {std::make_shared<const std::string>(8, '\7')}});
  fs::path file = folder_ / "w.safetensors";
  write_safetensors(m, Mode::kCopy, in_memory, file, "w");
  std::string all = read(file);
  uint64_t length = 0;
  std::memcpy(&length, all.data(), 8);
  EXPECT_EQ((8 + length) % 64, 0u);
  EXPECT_LT(length, 1024u);
  Json header = Json::parse(all.substr(8, length));
  EXPECT_EQ(
      header.dump(),
      R"({"__metadata__":{"format":"pt","tied":"{\"head.weight\":\"emb.weight\"}","transposed":"[\"v.weight\"]"},)"
      R"("big":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
      R"("emb.weight":{"dtype":"F32","shape":[5,3],"data_offsets":[8,68]},)"
      R"("v.weight":{"dtype":"F32","shape":[5,2],"data_offsets":[68,108]},)"
      R"("flag":{"dtype":"BOOL","shape":[3],"data_offsets":[108,111]}})");
  EXPECT_EQ(all.size(), 8 + length + 111);
  EXPECT_EQ(all.substr(all.size() - 3), std::string("\0\1\0", 3));
}

TEST_F(WriteTest, WholeBlocksComeFirst) {
  fx::Module m;
  const std::vector<std::tuple<std::string, std::string, int64_t>> tensors = {
      {"a", "int64", 3},
      {"b", "uint8", 65536},
      {"c", "float32", 5},
      {"d", "float32", 32768},
      {"e", "int64", 0}};
  for (const auto& [path, dtype, count] : tensors) {
    const size_t size = static_cast<size_t>(count) * (dtype == "int64"   ? 8
                                                      : dtype == "uint8" ? 1
                                                                         : 4);
    m.tensors.push_back({path,
                         path,
                         dtype,
                         {count},
                         fx::Role::kBuffer,
                         false,
                         {std::make_shared<const std::string>(size, path[0])}});
  }
  write_safetensors(m, Mode::kCopy, in_memory, folder_ / "w", "w");
  const std::string all = read(folder_ / "w");
  EXPECT_TRUE(all.substr(65536) == std::string(65536, 'b') + std::string(131072, 'd') +
                                       std::string(24, 'a') + std::string(20, 'c'));
}

std::string letters(size_t count) {
  std::string text(count, ' ');
  for (size_t i = 0; i < count; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

/// A file that is gone with this object.
class OpenFile {
 public:
  OpenFile(int fd, const std::string& content) : fd_(fd) {
    EXPECT_EQ(::write(fd_, content.data(), content.size()), static_cast<ssize_t>(content.size()));
  }
  ~OpenFile() { ::close(fd_); }
  int fd() const { return fd_; }

 private:
  int fd_;
};

TEST_F(WriteTest, RangesOfFilesAreCopied) {
  const std::string text = letters(1'000'000);
  const fs::path beside = folder_ / "beside";
  const OpenFile near(::open(beside.c_str(), O_RDWR | O_CREAT, 0600), text);
  const OpenFile far(::memfd_create("far", 0), text);  // no kernel copies between two file systems
  NewFile out(folder_ / "out", "out", 0);
  out.append("head");
  out.append(FileBytes{near.fd(), 0, 500'000, "near"});
  out.append(bytes_of("middle"));
  out.append(FileBytes{far.fd(), 3, 600'001, "far"});
  out.append(FileBytes{near.fd(), 999'999, 1, "near"});
  out.append(FileBytes{near.fd(), 7, 0, "near"});
  out.close();
  EXPECT_TRUE(read(folder_ / "out") == "head" + text.substr(0, 500'000) + "middle" +
                                           text.substr(3, 600'001) + text.substr(999'999));
}

TEST_F(WriteTest, SourcesThatEndEarlyAreRefusedAndLeaveNothing) {
  const fs::path model = folder_ / "model.data";
  const OpenFile source(::open(model.c_str(), O_RDWR | O_CREAT, 0600), letters(30));
  fx::Module m = linear();
  m.sources = {{model, 100}};
  m.tensors[0].data.where = fx::FileRange{0, 8, 48};
  const Bytes bytes = [&](const fx::TensorData& data) -> Stored {
    const auto* range = std::get_if<fx::FileRange>(&data.where);
    if (!range) return in_memory(data);
    return FileBytes{source.fd(), range->offset, range->length, "model.data"};
  };
  EXPECT_EQ(message([&] { write_package(m, Mode::kCopy, bytes, "{}\n", folder_ / "out"); }),
            "error: model.data: expected 48 bytes at offset 8, got: 22 and the end of the file");
  EXPECT_EQ(entries(folder_), std::vector<std::string>{"model.data"});
}

/// No file may grow beyond `size`: what a full disk does, without one.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t size) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{size, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(WriteTest, WhatDoesNotFitIsRefusedAndLeavesNothing) {
  const fs::path model = folder_ / "model.data";
  const OpenFile source(::open(model.c_str(), O_RDWR | O_CREAT, 0600), letters(100'000));
  const auto written = [&](const auto& content) {
    const SmallDisk disk(60'000);
    NewFile file(folder_ / "out", "out/weights.safetensors", 100'000);
    file.append(content);
    file.close();
  };
  const std::string expected =
      "error: out/weights.safetensors: expected to write 100000 bytes, got: File too large";
  EXPECT_EQ(message([&] { written(letters(100'000)); }), expected);
  EXPECT_EQ(message([&] { written(FileBytes{source.fd(), 0, 100'000, "model.data"}); }), expected);
  EXPECT_EQ(entries(folder_), std::vector<std::string>{"model.data"});
}

TEST_F(WriteTest, WrongLengthIsRefusedAndLeavesNothing) {
  fx::Module m = linear();
  m.tensors[1].dims = {5};
  EXPECT_EQ(message([&] { write_package(m, Mode::kCopy, in_memory, "{}\n", folder_ / "a" / "b"); }),
            "error: weight 'fc.bias': expected 20 bytes, got 16");
  EXPECT_TRUE(entries(folder_).empty());
}

TEST_F(WriteTest, PackageIsWrittenWholeAndReplaced) {
  fs::path out = folder_ / "new" / "out";
  write_package(linear(), Mode::kCopy, in_memory, "{\"nodes\": 1}\n", out / "");
  std::vector<std::string> files = {"__init__.py", "_loader", "graph.json", "report.json",
                                    "weights.safetensors"};
  EXPECT_EQ(entries(out), files);
  EXPECT_EQ(read(out / "report.json"), "{\"nodes\": 1}\n");
  std::string graph = read(out / "graph.json"), weights = read(out / "weights.safetensors");
  EXPECT_FALSE(read(out / "_loader" / "__init__.py").empty());
  fs::create_directory(out / "__pycache__");
  fs::create_directory(out / "_loader" / "__pycache__");
  write_package(linear(), Mode::kCopy, in_memory, "{\"nodes\": 1}\n", out);
  EXPECT_EQ(entries(out), files);
  EXPECT_EQ(read(out / "graph.json"), graph);
  EXPECT_EQ(read(out / "weights.safetensors"), weights);
  EXPECT_EQ(entries(folder_ / "new"), std::vector<std::string>{"out"});
  struct stat status;
  ASSERT_EQ(::stat(out.c_str(), &status), 0);
  EXPECT_NE(status.st_mode & 0500, 0u);
}

TEST_F(WriteTest, PackageWithTheLoaderBesideTheDataIsReplaced) {
  fs::path out = folder_ / "out";
  write_package(linear(), Mode::kCopy, in_memory, "{}\n", out);
  std::vector<std::string> files = entries(out);
  fs::remove_all(out / "_loader");
  for (const char* name : {"_leaves.py", "_loader.py", "_random_leaves.py", "_targets.py",
                           "_weightless.py", "_weights.py"}) {
    std::ofstream(out / name) << "pass";
  }
  write_package(linear(), Mode::kCopy, in_memory, "{}\n", out);
  EXPECT_EQ(entries(out), files);
}

TEST_F(WriteTest, WeightlessPackageHasNoWeights) {
  fx::Module m = linear();
  for (fx::Tensor& t : m.tensors) t.data.where = {};
  write_package(m, Mode::kMeta, in_memory, "{}\n", folder_ / "out");
  EXPECT_FALSE(fs::exists(folder_ / "out" / "weights.safetensors"));
}

TEST_F(WriteTest, NoFolderIsRefused) {
  EXPECT_EQ(message([&] { write_package(linear(), Mode::kCopy, in_memory, "{}\n", ""); }),
            "error: expected the path of a folder, got none\n"
            "  note: an absolute one needs no current folder");
}

TEST_F(WriteTest, ForeignFoldersAreRefused) {
  std::ofstream(folder_ / "notes.txt") << "mine";
  EXPECT_EQ(message([&] { write_package(linear(), Mode::kCopy, in_memory, "{}\n", folder_); }),
            "error: " + folder_.string() +
                ": expected an empty folder or an FX package, got one with 'notes.txt'\n"
                "  note: choose another folder, or remove it");
  fs::path file = folder_ / "notes.txt";
  EXPECT_EQ(message([&] { check_folder(file); }),
            "error: " + file.string() +
                ": expected a folder or nothing, got a file\n  note: choose another folder, or "
                "remove it");
  write_package(linear(), Mode::kCopy, in_memory, "{}\n", folder_ / "out");
  std::ofstream(folder_ / "out" / "model.onnx") << "mine";
  EXPECT_EQ(message([&] { check_folder(folder_ / "out"); }),
            "error: " + (folder_ / "out").string() +
                ": expected an empty folder or an FX package, got one with 'model.onnx'\n"
                "  note: choose another folder, or remove it");
  fs::rename(folder_ / "out" / "model.onnx", folder_ / "out" / "_loader" / "model.onnx");
  EXPECT_EQ(message([&] { check_folder(folder_ / "out"); }),
            "error: " + (folder_ / "out").string() +
                ": expected an empty folder or an FX package, got one with '_loader/model.onnx'\n"
                "  note: choose another folder, or remove it");
}

}  // namespace
}  // namespace onnx2fx::write
