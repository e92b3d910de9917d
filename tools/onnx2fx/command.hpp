// The onnx2fx command. Exit codes: 0 ok, 1 conversion, 2 usage, 3 plugin.
#ifndef ONNX2FX_TOOLS_ONNX2FX_COMMAND_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_COMMAND_HPP_

#include "core/include/onnx2fx/export.hpp"

namespace onnx2fx::cli {

/// Ends the process. Exported by the library of a wheel, where the program is no more than this.
[[noreturn]] ONNX2FX_API void command(int argc, char** argv);

}  // namespace onnx2fx::cli

#endif
