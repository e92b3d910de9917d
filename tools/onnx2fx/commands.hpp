// The commands of the program, their options and what each of them does.
#ifndef ONNX2FX_TOOLS_ONNX2FX_COMMANDS_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_COMMANDS_HPP_

#include <CLI/App.hpp>
#include <functional>
#include <vector>

#include "tools/onnx2fx/arguments.hpp"

namespace onnx2fx::cli {

struct Command {
  CLI::App* app;
  std::function<int()> run;  ///< the exit code
};

/// Adds to `app` all that it knows. The first is `app` itself, which converts.
std::vector<Command> add_commands(CLI::App& app, Arguments& arguments);

}  // namespace onnx2fx::cli

#endif
