// Opens libonnx2fx_runtime.so, and LibTorch with it: only commands that run programs call this.
#ifndef ONNX2FX_TOOLS_VERIFY_RUNTIME_LIBRARY_HPP_
#define ONNX2FX_TOOLS_VERIFY_RUNTIME_LIBRARY_HPP_

#include <string>

#include "core/runtime/session.hpp"

namespace onnx2fx::runtime {

/// `<prefix>/lib/onnx2fx/libonnx2fx_runtime.so`, the neighbour of the folder of built-in plugins.
std::string library_path(const std::string& builtin_plugin_directory);

/// Loads the library once and keeps it. Throws ConversionError.
MakeSession* open_library(const std::string& path);

}  // namespace onnx2fx::runtime

#endif
