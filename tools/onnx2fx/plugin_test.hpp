// onnx2fx plugin test: small models through a pack, run in LibTorch, against the numbers beside
// them.
#ifndef ONNX2FX_TOOLS_ONNX2FX_PLUGIN_TEST_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_PLUGIN_TEST_HPP_

#include <string>
#include <vector>

#include "core/include/onnx2fx/convert.hpp"

namespace onnx2fx::cli {

/// `cases`: a folder of NAME.case. Each is a model in ONNX's text syntax and, after a line
/// "--- data", its inputs and outputs in the model's order, in the same syntax:
///
///     <ir_version: 10, opset_import: ["": 21, "com.acme": 1]>
///     g (float[2] x) => (float[2] y) { y = com.acme.Halve (x) }
///     --- data
///     float[2] x = {1.0, 3.0}
///     float[2] y = {0.5, 1.5}
///
/// `options`: the plugins beside the library's own; torch_libraries: loaded into LibTorch. Prints a
/// line for each case, or one JSON document. The exit code: 0, or 1 if one differs or cannot be
/// converted. Throws ConversionError: no case, no runtime.
int test_plugin(const std::string& library, const std::string& cases, Options options,
                const std::vector<std::string>& torch_libraries, bool json);

}  // namespace onnx2fx::cli

#endif
