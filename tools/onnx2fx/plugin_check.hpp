// onnx2fx plugin check.
#ifndef ONNX2FX_TOOLS_ONNX2FX_PLUGIN_CHECK_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_PLUGIN_CHECK_HPP_

#include <string>

namespace onnx2fx::cli {

/// Holds a library against the ABI rules: exports, dependences, run paths and stack from its bytes,
/// then table and descriptor (NAME.onnx2fx.json beside it, if there), init, a dry lowering of every
/// row and deinit, in a child process that is killed after the timeout. The exit code: 0, or 3.
/// json: all of it as one document on standard output.
int check_plugin(const std::string& library, bool json, int timeout_seconds = 10);

}  // namespace onnx2fx::cli

#endif
