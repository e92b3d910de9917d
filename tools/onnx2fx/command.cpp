#include "tools/onnx2fx/command.hpp"

#include <malloc.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <csignal>
#include <iostream>
#include <optional>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/breadcrumb.hpp"
#include "tools/onnx2fx/commands.hpp"
#include "tools/onnx2fx/installation.hpp"
#include "tools/onnx2fx/leave.hpp"
#include "tools/onnx2fx/usage.hpp"

namespace onnx2fx::cli {
namespace {

enum ExitCode { kConversion = 1, kPlugin = 3 };

template <class F>
int guarded(F f) {
  try {
    return f();
  } catch (const PluginError& e) {
    std::cerr << e.what() << "\n";
    return kPlugin;
  } catch (const UnsupportedOperatorError& e) {
    const bool unknown = std::ranges::any_of(
        e.operators, [](const UnsupportedOperator& o) { return o.reasons.empty(); });
    std::cerr << e.what() << "\n"
              << "  note: " << (unknown ? "give a plugin for it with --plugin-dir, or " : "")
              << "keep it as an opaque node with --keep-going\n";
    return kConversion;
  } catch (const ConversionError& e) {
    std::cerr << e.what() << "\n";
    return kConversion;
  } catch (const std::exception& e) {
    std::cerr << "error: " << e.what() << "\n";
    return kConversion;
  }
}

int run(int argc, char** argv) {
  // A graph is many small objects that live and go together: merged when freed, they cost less than
  // glibc's lists of them, which each large block has it search (a tenth of a conversion).
  mallopt(M_MXFAST, 0);
  // A file that may not grow is an error of the write, with a message.
  std::signal(SIGXFSZ, SIG_IGN);
  const plugin::CrashReports reports;
  plugin::report_exits();
  CLI::App app{"Converts ONNX models into torch.fx programs.", "onnx2fx"};
  Arguments a;
  a.options.plugins.builtin_directory = builtin_plugin_directory();
  const std::vector<Command> commands = add_commands(app, a);
  std::optional<CLI::ParseError> error;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    error = e;
  }
  // An unknown word is why something else is missing.
  if (const auto unknown = unknown_word(app, a.model)) return refuse(*unknown, app);
  if (error) return refuse(*error, app);
  const auto is_chosen = [&](const Command& c) { return c.app == &chosen(app); };
  return guarded([&] { return std::ranges::find_if(commands, is_chosen)->run(); });
}

}  // namespace

void command(int argc, char** argv) { leave(run(argc, argv)); }

}  // namespace onnx2fx::cli
