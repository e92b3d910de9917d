// The end of the command.
#ifndef ONNX2FX_TOOLS_ONNX2FX_LEAVE_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_LEAVE_HPP_

namespace onnx2fx::cli {

/// Writes out what is buffered and ends the process at once: destructors and exit handlers of the
/// plugins that are mapped do not run, so that one that crashes, or hangs, cannot take back a
/// success. Their deinit() was called when the conversion ended.
[[noreturn]] void leave(int code);

}  // namespace onnx2fx::cli

#endif
