// `onnx2fx man`: the manual page, read off the commands themselves.
#ifndef ONNX2FX_TOOLS_ONNX2FX_MAN_PAGE_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_MAN_PAGE_HPP_

#include <CLI/App.hpp>
#include <string>

namespace onnx2fx::cli {

/// In roff with the macros of man(7). Equal commands give equal pages.
std::string man_page(const CLI::App& app, const std::string& version);

}  // namespace onnx2fx::cli

#endif
