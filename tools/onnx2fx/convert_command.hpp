// `onnx2fx convert MODEL -o DIR`, which is also `onnx2fx MODEL -o DIR`.
#ifndef ONNX2FX_TOOLS_ONNX2FX_CONVERT_COMMAND_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_CONVERT_COMMAND_HPP_

#include "tools/onnx2fx/arguments.hpp"

namespace onnx2fx::cli {

/// Warnings and the summary go to stderr; with --json the summary is the standard output. Throws
/// ConversionError.
int convert_command(const Arguments& arguments);

}  // namespace onnx2fx::cli

#endif
