// The command view: a model or a package as one HTML file, which the Python package writes.
#ifndef ONNX2FX_TOOLS_ONNX2FX_VIEW_COMMAND_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_VIEW_COMMAND_HPP_

#include "tools/onnx2fx/arguments.hpp"

namespace onnx2fx::cli {

/// Of a model with what it costs at `sizes`, and without its weights; what nobody lowers is kept
/// and shown. 1: Python has told what is wrong. Throws ConversionError, PluginError.
int view_command(const Arguments& arguments);

}  // namespace onnx2fx::cli

#endif
