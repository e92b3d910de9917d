// Where this program is installed, and with it the built-in plugins.
#ifndef ONNX2FX_TOOLS_ONNX2FX_INSTALLATION_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_INSTALLATION_HPP_

#include <string>

namespace onnx2fx::cli {

/// `<prefix>/lib/onnx2fx/plugins.d` of the nearest folder above the program that has one; empty:
/// none.
std::string builtin_plugin_directory();
/// `<prefix>/share/onnx2fx`: the SDK's templates, schemas, CMake function and contract.
std::string sdk_directory();
/// `<prefix>/lib/cmake/onnx2fx`, where find_package(onnx2fx) looks.
std::string cmake_directory();

}  // namespace onnx2fx::cli

#endif
