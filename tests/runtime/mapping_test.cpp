// Conversion must not map LibTorch. A program of its own: nothing else here may have opened the
// runtime library.
#include <gtest/gtest.h>
#include <onnx/defs/parser.h>

#include <fstream>
#include <memory>
#include <string>

#include "core/include/onnx2fx/convert.hpp"

namespace onnx2fx {
namespace {

std::string mapped_torch() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find("libtorch") != std::string::npos || line.find("libc10") != std::string::npos)
      return line;
  return "";
}

TEST(Mapping, ConversionLoadsThePluginButNotLibTorch) {
  onnx::ModelProto model;
  const auto status = onnx::OnnxParser::Parse(model, R"(<ir_version: 10, opset_import: ["": 21]>
      g (float[n, 2] x) => (float[n, 3] y) {
        w = Constant <value = float[2, 3] {1, 2, 3, 4, 5, 6}>()
        y = MatMul(x, w)
      })");
  ASSERT_TRUE(status.IsOK()) << status.ErrorMessage();
  Options options;
  options.plugins.builtin_directory = ONNX2FX_TEST_PLUGINS;
  options.plugins.safe_mode = true;
  const Conversion converted = convert(
      std::make_shared<const std::string>(model.SerializeAsString()), "test.onnx", "", options);
  EXPECT_FALSE(converted.module.programs.at(0).nodes.empty());
  EXPECT_EQ(mapped_torch(), "");
}

}  // namespace
}  // namespace onnx2fx
