// The onnx2fx command. Exit codes: 0 ok, 1 conversion, 2 usage, 3 plugin.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <functional>
#include <iostream>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

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
#include "tools/onnx2fx/manifest_command.hpp"
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

int usage(const std::string& what) {
  std::cerr << format({Severity::kError, "command line", what, {"see onnx2fx --help"}}) << "\n";
  return kUsage;
}

/// What the command line says.
struct Arguments {
  Options options;
  std::string model, out, library, folder, id;
  verify::VerifyOptions verification;
  bool json = false, plain_c = false;
};

/// A subcommand, and what it does.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

void add_model(CLI::App& app, Arguments& a) {
  app.add_option("model", a.model, "ONNX model")->required();
}
void add_json(CLI::App& app, Arguments& a) { app.add_flag("--json", a.json, "For machines"); }

Command inspect_command(CLI::App& app, Arguments& a) {
  CLI::App* c =
      app.add_subcommand("inspect", "What is in a model, who would lower it, what is missing");
  add_model(*c, a);
  add_json(*c, a);
  add_options(*c, a.options);
  return {c, [&a] { return inspect_model(a.model, a.options, a.json, std::cout); }};
}

Command verify_command(CLI::App& app, Arguments& a) {
  CLI::App* c = app.add_subcommand(
      "verify", "Run the converted program in LibTorch against stored reference data");
  verify::VerifyOptions& v = a.verification;
  add_model(*c, a);
  c->add_option("--data", v.data,
                "A test_data_set folder, or a folder of them; default: the model's own")
      ->type_name("DIR");
  c->add_option("--rtol", v.tolerance.rtol, "Relative tolerance");
  c->add_option("--atol", v.tolerance.atol, "Absolute tolerance");
  add_json(*c, a);
  add_options(*c, a.options);
  return {c, [&a, &v] {
            v.model = a.model;
            v.json = a.json;
            v.conversion = a.options;
            return verify::verify(v, std::cout);
          }};
}

Command ops_command(CLI::App& app, Arguments& a) {
  CLI::App* c =
      app.add_subcommand("ops", "Operators that this installation lowers, and who provides them");
  add_json(*c, a);
  add_options(*c, a.options.plugins);
  return {c, [&a] { return list_ops(a.options.plugins, a.json); }};
}

Command plugins_command(CLI::App& app, Arguments& a) {
  CLI::App* c = app.add_subcommand("plugins", "Plugins found, loading none");
  add_json(*c, a);
  add_options(*c, a.options.plugins);
  return {c, [&a] { return list_plugins(a.options.plugins, a.json); }};
}

Command plugin_check_command(CLI::App& plugin, Arguments& a) {
  CLI::App* c =
      plugin.add_subcommand("check", "Hold a library against the ABI rules, in a child process");
  c->add_option("library", a.library, "Plugin library")->required();
  return {c, [&a] { return check_plugin(a.library); }};
}

Command plugin_new_command(CLI::App& plugin, Arguments& a) {
  CLI::App* c = plugin.add_subcommand("new", "Write a pack to start from");
  c->add_option("id", a.id, "com.acme.rope-pack")->required();
  c->add_option("folder", a.folder, "New folder")->required();
  c->add_flag("--c", a.plain_c, "Plain C instead of C++");
  return {c, [&a] { return new_plugin(a.id, a.plain_c, a.folder, template_directory()); }};
}

Command manifest_check_command(CLI::App& manifest, Arguments& a) {
  plugin::Options& o = a.options.plugins;
  CLI::App* c = manifest.add_subcommand(
      "check", "Say every fault of a manifest, or who lowers what by its op sets; loads no plugin");
  add_options(*c, o);
  c->remove_option(c->get_option("--manifest"));
  c->add_option("file", o.manifest, "Manifest")->required();
  return {c, [&o] { return check_manifest(o); }};
}

std::vector<Command> add_commands(CLI::App& app, Arguments& a) {
  std::vector<Command> all{inspect_command(app, a), verify_command(app, a), ops_command(app, a),
                           plugins_command(app, a)};
  CLI::App* plugin = app.add_subcommand("plugin", "For authors of plugins");
  plugin->require_subcommand(1);
  all.push_back(plugin_check_command(*plugin, a));
  all.push_back(plugin_new_command(*plugin, a));
  CLI::App* manifest = app.add_subcommand("manifest", "For authors of manifests");
  manifest->require_subcommand(1);
  all.push_back(manifest_check_command(*manifest, a));
  return all;
}

int convert_or_usage(const Arguments& a) {
  if (a.model.empty() || a.out.empty()) {
    return usage(std::string("expected MODEL.onnx -o DIR, got no ") +
                 (a.model.empty() ? "MODEL.onnx" : "-o DIR"));
  }
  const std::future<void> warm = prepare::warm_up();
  return convert_command(a.model, a.out, a.options);
}

int run(int argc, char** argv) {
  // A file that may not grow is an error of the write, with a message.
  std::signal(SIGXFSZ, SIG_IGN);
  const plugin::CrashReports reports;
  plugin::report_exits();
  CLI::App app{"Converts ONNX models into torch.fx programs.", "onnx2fx"};
  app.set_version_flag("--version", std::string("onnx2fx ") + kVersion);
  app.require_subcommand(0, 1);
  app.failure_message(CLI::FailureMessage::help);

  Arguments a;
  a.options.plugins.builtin_directory = builtin_plugin_directory();
  app.add_option("model", a.model, "ONNX model")->type_name("MODEL.onnx");
  app.add_option("-o,--output", a.out, "Folder of the FX package to write")->type_name("DIR");
  add_options(app, a.options);
  const std::vector<Command> commands = add_commands(app, a);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    return usage(e.what());
  }
  const auto chosen =
      std::ranges::find_if(commands, [](const Command& c) { return c.app->parsed(); });
  return guarded([&] { return chosen == commands.end() ? convert_or_usage(a) : chosen->run(); });
}

}  // namespace
}  // namespace onnx2fx::cli

int main(int argc, char** argv) { onnx2fx::cli::leave(onnx2fx::cli::run(argc, argv)); }
