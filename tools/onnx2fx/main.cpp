// The onnx2fx command. Exit codes: 0 ok, 1 conversion, 2 usage, 3 plugin.
#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <span>
#include <string_view>
#include <type_traits>

#include "core/api/write_package.hpp"
#include "core/fx/print.hpp"
#include "core/include/onnx2fx/convert.hpp"
#include "core/include/onnx2fx/version.hpp"
#include "core/plugin/breadcrumb.hpp"
#include "core/prepare/prepare.hpp"
#include "core/write/package.hpp"
#include "tools/onnx2fx/inspect.hpp"
#include "tools/onnx2fx/installation.hpp"
#include "tools/onnx2fx/leave.hpp"
#include "tools/onnx2fx/plugin_command.hpp"
#include "tools/verify/verify.hpp"

namespace onnx2fx::cli {
namespace {

enum ExitCode { kOk = 0, kConversion = 1, kUsage = 2, kPlugin = 3 };

/// An option's value is one of these words, by enumerator.
CLI::Validator one_of(std::span<const std::string_view> words) {
  return {[words](std::string& given) -> std::string {
            std::string all;
            for (size_t i = 0; i < words.size(); ++i) {
              if (words[i] == given) {
                given = std::to_string(i);
                return "";
              }
              all += (i ? ", " : "") + std::string(words[i]);
            }
            return "expected one of " + all + ", got '" + given + "'";
          },
          ""};
}

/// Of the whole conversion, or of its plugins alone.
template <class O>
void add_options(CLI::App& app, O& options) {
  for_each_option(options, [&]<class T>(T& member, const Spelling& s) {
    if (!*s.flag) return;
    if constexpr (std::is_same_v<T, bool>) {
      app.add_flag(s.flag, member, s.help);
    } else {
      CLI::Option* option = app.add_option(s.flag, member, s.help)->type_name(s.argument);
      if constexpr (std::is_enum_v<T>) option->transform(one_of(words_of(member)));
    }
  });
}

void print_warnings(const Report& report) {
  for (const Diagnostic& w : report.warnings) std::cerr << format(w) << "\n";
  for (const UnsupportedOperator& o : report.unsupported) {
    const std::string where =
        (o.domain.empty() ? "" : o.domain + ".") + o.op_type + ", opset " + std::to_string(o.opset);
    const std::string what = "kept " + std::to_string(o.nodes.size()) + " opaque node" +
                             (o.nodes.size() == 1 ? "" : "s");
    std::cerr << format({Severity::kWarning, where, what, o.reasons}) << "\n";
  }
}

int convert_command(const std::string& model, const write::PackageFolder& out,
                    const Options& options) {
  write::check_folder(out);
  const Conversion c = convert(model, options);
  print_warnings(c.report);
  if (options.debug) std::cerr << fx::print_program(c.module);
  write_package_to(c, out);
  return kOk;
}

template <class F>
int guarded(F f) {
  try {
    return f();
  } catch (const PluginError& e) {
    std::cerr << e.what() << "\n";
    return kPlugin;
  } catch (const UnsupportedOperatorError& e) {
    std::cerr
        << e.what() << "\n"
        << "  note: give a plugin for it with --plugin-dir, or keep it as an opaque node with "
           "--keep-going\n";
    return kConversion;
  } catch (const ConversionError& e) {
    std::cerr << e.what() << "\n";
    return kConversion;
  } catch (const std::exception& e) {
    std::cerr << "error: " << e.what() << "\n";
    return kConversion;
  }
}

int usage(const std::string& what) {
  std::cerr << format({Severity::kError, "command line", what, {"see onnx2fx --help"}}) << "\n";
  return kUsage;
}

int run(int argc, char** argv) {
  std::signal(SIGXFSZ,
              SIG_IGN);  // a file that may not grow is an error of the write, with a message
  const plugin::CrashReports reports;
  plugin::report_exits();
  CLI::App app{"Converts ONNX models into torch.fx programs.", "onnx2fx"};
  app.set_version_flag("--version", std::string("onnx2fx ") + kVersion);
  app.require_subcommand(0, 1);
  app.failure_message(CLI::FailureMessage::help);

  Options options;
  options.plugins.builtin_directory = builtin_plugin_directory();
  std::string model, out;
  bool json = false;
  app.add_option("model", model, "ONNX model")->type_name("MODEL.onnx");
  app.add_option("-o,--output", out, "Folder of the FX package to write")->type_name("DIR");
  add_options(app, options);

  CLI::App* inspect =
      app.add_subcommand("inspect", "What is in a model, who would lower it, what is missing");
  inspect->add_option("model", model, "ONNX model")->required();
  inspect->add_flag("--json", json, "For machines");
  add_options(*inspect, options);

  verify::VerifyOptions verification;
  CLI::App* check = app.add_subcommand(
      "verify", "Run the converted program in LibTorch against stored reference data");
  check->add_option("model", model, "ONNX model")->required();
  check
      ->add_option("--data", verification.data,
                   "A test_data_set folder, or a folder of them; default: the model's own")
      ->type_name("DIR");
  check->add_option("--rtol", verification.tolerance.rtol, "Relative tolerance");
  check->add_option("--atol", verification.tolerance.atol, "Absolute tolerance");
  check->add_flag("--json", json, "For machines");
  add_options(*check, options);

  CLI::App* ops =
      app.add_subcommand("ops", "Operators that this installation lowers, and who provides them");
  ops->add_flag("--json", json, "For machines");
  add_options(*ops, options.plugins);
  CLI::App* plugins = app.add_subcommand("plugins", "Plugins found, loading none");
  plugins->add_flag("--json", json, "For machines");
  add_options(*plugins, options.plugins);
  CLI::App* plugin = app.add_subcommand("plugin", "For authors of plugins");
  plugin->require_subcommand(1);
  std::string library, folder, id;
  bool plain_c = false;
  CLI::App* plugin_check =
      plugin->add_subcommand("check", "Hold a library against the ABI rules, in a child process");
  plugin_check->add_option("library", library, "Plugin library")->required();
  CLI::App* plugin_new = plugin->add_subcommand("new", "Write a pack to start from");
  plugin_new->add_option("id", id, "com.acme.rope-pack")->required();
  plugin_new->add_option("folder", folder, "New folder")->required();
  plugin_new->add_flag("--c", plain_c, "Plain C instead of C++");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    return usage(e.what());
  }
  return guarded([&] {
    if (*inspect) return inspect_model(model, options, json, std::cout);
    if (*check) {
      verification.model = model;
      verification.json = json;
      verification.conversion = options;
      return verify::verify(verification, std::cout);
    }
    if (*ops) return list_ops(options.plugins, json);
    if (*plugins) return list_plugins(options.plugins, json);
    if (*plugin_check) return check_plugin(library);
    if (*plugin_new) return new_plugin(id, plain_c, folder, template_directory());
    if (model.empty() || out.empty()) {
      return usage(std::string("expected MODEL.onnx -o DIR, got no ") +
                   (model.empty() ? "MODEL.onnx" : "-o DIR"));
    }
    const std::future<void> warm = prepare::warm_up();
    return convert_command(model, out, options);
  });
}

}  // namespace
}  // namespace onnx2fx::cli

int main(int argc, char** argv) { onnx2fx::cli::leave(onnx2fx::cli::run(argc, argv)); }
