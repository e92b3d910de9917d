// Where this program is installed, and with it the built-in plugins.
#ifndef ONNX2FX_TOOLS_ONNX2FX_INSTALLATION_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_INSTALLATION_HPP_

#include <string>

namespace onnx2fx::cli {

/// `<prefix>/lib/onnx2fx/plugins.d` of the nearest folder above the program that has one; empty:
/// none.
std::string builtin_plugin_directory();
/// `<prefix>/share/onnx2fx`, which holds the plugin templates.
std::string template_directory();

}  // namespace onnx2fx::cli

#endif
