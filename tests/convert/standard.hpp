// Conversions with the plugins of this build.
#ifndef ONNX2FX_TESTS_CONVERT_STANDARD_HPP_
#define ONNX2FX_TESTS_CONVERT_STANDARD_HPP_

#include <memory>
#include <string>

#include "core/include/onnx2fx/convert.hpp"
#include "tests/core/models.hpp"

namespace onnx2fx::test {

inline Options standard_options() {
  Options options;
  options.plugins.builtin_directory = ONNX2FX_TEST_PLUGINS;
  return options;
}

inline Conversion convert_proto(const onnx::ModelProto& proto,
                                const Options& options = standard_options()) {
  return convert(std::make_shared<const std::string>(proto.SerializeAsString()), "net.onnx", "",
                 options);
}

}  // namespace onnx2fx::test

#endif
