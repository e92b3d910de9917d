// The onnx2fx command. Exit codes: 0 ok, 1 conversion, 2 usage, 3 plugin.
#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>

#include "core/fx/print.hpp"
#include "core/include/onnx2fx/convert.hpp"
#include "core/include/onnx2fx/version.hpp"
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

template <class E>
using Choices = std::vector<std::pair<std::string, E>>;

/// An option's value is one of these words.
template <class E>
CLI::Validator one_of(const Choices<E>& choices) {
  return {[choices](std::string& given) -> std::string {
            std::string words;
            for (const auto& [word, value] : choices) {
              if (word == given) {
                given = std::to_string(static_cast<int>(value));
                return "";
              }
              words += (words.empty() ? "" : ", ") + word;
            }
            return "expected one of " + words + ", got '" + given + "'";
          },
          ""};
}

void add_plugin_options(CLI::App& app, plugin::Options& p) {
  app.add_option("--plugin", p.descriptors,
                 "Descriptor of one plugin (NAME.onnx2fx.json); may be repeated")
      ->type_name("FILE");
  app.add_option("--plugin-dir", p.directories, "Folder of plugin descriptors; may be repeated")
      ->type_name("DIR");
  app.add_option("--manifest", p.manifest, "Op-set manifest")->type_name("FILE");
  app.add_option("--op-set", p.op_set, "Op set of the manifest")->type_name("NAME");
  app.add_option("--allow-override", p.allow_override,
                 "Plugin that may take over built-in operators")
      ->type_name("ID");
  app.add_flag("!--no-default-plugins", p.default_plugins,
               "Only plugins named on the command line or in the manifest");
  app.add_flag("--safe-mode", p.safe_mode, "Only built-in plugins");
  app.add_flag("--allow-insecure-plugins", p.allow_insecure,
               "Accept plugin files that others can write");
}

void add_convert_options(CLI::App& app, Options& o) {
  add_plugin_options(app, o.plugins);
  const Choices<weights::Mode> modes{{"reference", weights::Mode::kReference},
                                     {"copy", weights::Mode::kCopy},
                                     {"meta", weights::Mode::kMeta},
                                     {"random", weights::Mode::kRandom}};
  app.add_option("--weights", o.weights,
                 "Where the package's weights are: reference (the model's own file, default), "
                 "copy, meta, random")
      ->transform(one_of(modes))
      ->type_name("MODE");
  app.add_option("--weights-root", o.weight_roots,
                 "Folder that the model's external data may lie in, too, through symbolic or hard "
                 "links; may be repeated. Without it, nothing outside the model's folder is read")
      ->type_name("DIR");
  app.add_option("--seed", o.seed, "Of random weights (default 0)")->type_name("N");
  const Choices<fx::Dialect> dialects{{"nn", fx::Dialect::kNn}, {"aten", fx::Dialect::kAten}};
  app.add_option("--dialect", o.dialect, "nn: torch.nn modules (default); aten: ATen calls only")
      ->transform(one_of(dialects))
      ->type_name("DIALECT");
  app.add_option("--trainable", o.trainable, "Tensors that become parameters")->type_name("GLOB");
  app.add_option("--frozen", o.frozen, "Parameters that get no gradient")->type_name("GLOB");
  app.add_flag("--keep-going", o.keep_going,
               "Keep what cannot be lowered as opaque nodes, for analysis");
  app.add_flag("--allow-unresolved", o.allow_unresolved,
               "Accept torch ops that no descriptor declares");
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

int convert_command(const std::string& model, const PackageFolder& out, const Options& options,
                    bool debug) {
  write::check_folder(out);
  const Conversion c = convert(model, options);
  print_warnings(c.report);
  if (debug) std::cerr << fx::print_program(c.module);
  write_package(c, out);
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
  CLI::App app{"Converts ONNX models into torch.fx programs.", "onnx2fx"};
  app.set_version_flag("--version", std::string("onnx2fx ") + kVersion);
  app.require_subcommand(0, 1);
  app.failure_message(CLI::FailureMessage::help);

  Options options;
  options.plugins.builtin_directory = builtin_plugin_directory();
  std::string model, out;
  bool debug = false, json = false;
  app.add_option("model", model, "ONNX model")->type_name("MODEL.onnx");
  app.add_option("-o,--output", out, "Folder of the FX package to write")->type_name("DIR");
  app.add_flag("--debug", debug, "Print the FX program");
  add_convert_options(app, options);

  CLI::App* inspect =
      app.add_subcommand("inspect", "What is in a model, who would lower it, what is missing");
  inspect->add_option("model", model, "ONNX model")->required();
  inspect->add_flag("--json", json, "For machines");
  add_convert_options(*inspect, options);

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
  add_convert_options(*check, options);

  CLI::App* ops =
      app.add_subcommand("ops", "Operators that this installation lowers, and who provides them");
  ops->add_flag("--json", json, "For machines");
  add_plugin_options(*ops, options.plugins);
  CLI::App* plugins = app.add_subcommand("plugins", "Plugins found, loading none");
  plugins->add_flag("--json", json, "For machines");
  add_plugin_options(*plugins, options.plugins);
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
    return convert_command(model, out, options, debug);
  });
}

}  // namespace
}  // namespace onnx2fx::cli

int main(int argc, char** argv) { onnx2fx::cli::leave(onnx2fx::cli::run(argc, argv)); }
