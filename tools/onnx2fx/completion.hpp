// `onnx2fx completion SHELL`: what a shell completes, read off the commands themselves.
#ifndef ONNX2FX_TOOLS_ONNX2FX_COMPLETION_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_COMPLETION_HPP_

#include <CLI/App.hpp>
#include <array>
#include <string>
#include <string_view>

namespace onnx2fx::cli {

inline constexpr std::array<std::string_view, 3> kShells = {"bash", "zsh", "fish"};

/// The script that the shell sources. An option or argument whose type name is "this|that" has
/// these words; where none fit, files are completed. `shell`: one of kShells.
std::string completion(const CLI::App& app, std::string_view shell);

}  // namespace onnx2fx::cli

#endif
