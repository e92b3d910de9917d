#include "tools/verify/verify.hpp"

#include <gtest/gtest.h>
#include <onnx/defs/parser.h>
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/include/onnx2fx/diagnostic.hpp"

namespace onnx2fx::verify {
namespace {

namespace fs = std::filesystem;

onnx::TensorProto floats(std::initializer_list<float> values) {
  onnx::TensorProto tensor;
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.add_dims(static_cast<int64_t>(values.size()));
  for (const float value : values) tensor.add_float_data(value);
  return tensor;
}

onnx::TensorProto longs(std::initializer_list<int64_t> values) {
  onnx::TensorProto tensor;
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<int64_t>(values.size()));
  for (const int64_t value : values) tensor.add_int64_data(value);
  return tensor;
}

void write(const fs::path& path, const google::protobuf::MessageLite& message) {
  std::ofstream(path, std::ios::binary) << message.SerializeAsString();
}

class Verify : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "test_data_set_0");
    onnx::ModelProto model;
    onnx::OnnxParser::Parse(model, R"(<ir_version: 10, opset_import: ["": 21]>
                                      g (float[n] x) => (float[n] y) { y = Relu(x) })");
    write(folder_ / "model.onnx", model);
    write(folder_ / "test_data_set_0" / "input_0.pb", floats({-1, 2}));
    write(folder_ / "test_data_set_0" / "output_0.pb", floats({0, 2}));
    options_.model = (folder_ / "model.onnx").string();
    options_.library = ONNX2FX_TEST_RUNTIME;
    options_.conversion.plugins.builtin_directory = ONNX2FX_TEST_PLUGINS;
    options_.conversion.plugins.safe_mode = true;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string output(int exit_code) {
    std::ostringstream out;
    EXPECT_EQ(verify(options_, out), exit_code);
    return out.str();
  }

  const std::string name_ = testing::UnitTest::GetInstance()->current_test_info()->name();
  const fs::path folder_ = fs::path(testing::TempDir()) / ("onnx2fx_verify_" + name_);
  VerifyOptions options_;
};

TEST_F(Verify, PrintsErrorsOfEachOutput) {
  EXPECT_EQ(output(0),
            (folder_ / "test_data_set_0").string() +
                "\n  y                        max abs 0          max rel 0          ok\n");
}

TEST_F(Verify, DifferenceIsExitCodeOne) {
  write(folder_ / "test_data_set_0" / "output_0.pb", floats({0, 2.5}));
  EXPECT_NE(
      output(1).find("DIFFERS: values: 1 of 2 differ, first at 1: value: expected 2.5, got 2"),
      std::string::npos);
}

TEST_F(Verify, ToleranceIsTheUsers) {
  write(folder_ / "test_data_set_0" / "output_0.pb", floats({0, 2.5}));
  options_.tolerance.atol = 0.5;
  output(0);
}

TEST_F(Verify, ValuesMayBeLeftAlone) {
  options_.tolerance.values = false;
  write(folder_ / "test_data_set_0" / "output_0.pb", floats({5, 6}));
  output(0);
  write(folder_ / "test_data_set_0" / "output_0.pb", floats({5, 6, 7}));
  EXPECT_NE(output(1).find("DIFFERS: shape: expected [3], got [2]"), std::string::npos);
  write(folder_ / "test_data_set_0" / "output_0.pb", longs({5, 6}));
  EXPECT_NE(output(1).find("DIFFERS: dtype: expected int64, got float32"), std::string::npos);
}

TEST_F(Verify, JsonIsForMachines) {
  options_.json = true;
  EXPECT_NE(output(0).find("\"passed\": true"), std::string::npos);
}

TEST_F(Verify, DataMayBeOneSet) {
  options_.data = (folder_ / "test_data_set_0").string();
  output(0);
}

std::string error_of(const VerifyOptions& options) {
  std::ostringstream out;
  try {
    verify(options, out);
  } catch (const ConversionError& e) {
    return e.what();
  }
  return "";
}

TEST_F(Verify, MissingDataIsAnError) {
  fs::remove_all(folder_ / "test_data_set_0");
  EXPECT_EQ(error_of(options_),
            "error: " + folder_.string() +
                ": reference data: expected test_data_set_* or output_0.pb, got neither");
}

TEST_F(Verify, BrokenDataIsAnError) {
  std::ofstream(folder_ / "test_data_set_0" / "input_0.pb") << "not protobuf";
  EXPECT_EQ(error_of(options_), "error: " + (folder_ / "test_data_set_0" / "input_0.pb").string() +
                                    ": reference data: expected a TensorProto, got something else");
}

TEST_F(Verify, MissingRuntimeLibraryIsAnError) {
  options_.library = "/nowhere/libonnx2fx_runtime.so";
  EXPECT_EQ(error_of(options_).find(
                "error: /nowhere/libonnx2fx_runtime.so: LibTorch runtime: cannot load: "),
            0u);
}

}  // namespace
}  // namespace onnx2fx::verify
