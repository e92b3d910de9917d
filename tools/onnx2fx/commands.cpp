#include "tools/onnx2fx/commands.hpp"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "core/include/onnx2fx/version.hpp"
#include "core/plugin/time_limit.hpp"
#include "tools/onnx2fx/completion.hpp"
#include "tools/onnx2fx/convert_command.hpp"
#include "tools/onnx2fx/inspect.hpp"
#include "tools/onnx2fx/installation.hpp"
#include "tools/onnx2fx/man_page.hpp"
#include "tools/onnx2fx/manifest_command.hpp"
#include "tools/onnx2fx/model_argument.hpp"
#include "tools/onnx2fx/plugin_check.hpp"
#include "tools/onnx2fx/plugin_command.hpp"
#include "tools/onnx2fx/plugin_test.hpp"
#include "tools/onnx2fx/usage.hpp"
#include "tools/onnx2fx/view_command.hpp"
#include "tools/verify/runtime_library.hpp"

namespace onnx2fx::cli {
namespace {

constexpr const char* kPackage = "Package";
constexpr const char* kMessages = "Messages";

/// CLI11's own, with one blank line between topics, and without what it says of how it reads.
class Help : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    return CLI::detail::find_and_replace(Formatter::make_help(app, std::move(name), mode), "\n\n\n",
                                         "\n\n");
  }
  std::string make_option_name(const CLI::Option* o, bool is_positional) const override {
    const std::string name = Formatter::make_option_name(o, is_positional);
    return name.substr(0, name.find("{false}"));
  }
  std::string make_option_opts(const CLI::Option* o) const override {
    const std::string opts = Formatter::make_option_opts(o);
    return opts.substr(0, std::min(opts.find(" Excludes"), opts.find(" ...")));
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    if (app->get_parent()) return Formatter::make_usage(app, std::move(name));
    return "Usage: onnx2fx [convert] MODEL -o DIR [OPTIONS]\n"
           "       onnx2fx COMMAND [OPTIONS]\n";
  }
};

/// Of the whole conversion, or of its plugins alone.
template <class O>
void add_options(CLI::App& app, O& options) {
  for_each_option(options, [&]<class T>(T& member, const Spelling& s) {
    if (!*s.flag) return;
    if constexpr (std::is_same_v<T, bool>) {
      app.add_flag(s.flag, member, s.help)->group(s.topic);
    } else {
      CLI::Option* option = app.add_option(s.flag, member, s.help);
      option->type_name(s.argument)->group(s.topic);
      if (option->get_expected_max() > 1) option->allow_extra_args(false);  // one each time
      if constexpr (std::is_enum_v<T>) {
        option->type_name(CLI::detail::join(words_of(member), "|"));
        option->transform(index_of(words_of(member)));
        option->transform(word_of(words_of(member)));  // goes before
      }
    }
  });
}

void add_json(CLI::App& app, Arguments& a) {
  app.add_flag("--json", a.json, "For machines: one JSON document on standard output")
      ->group(kMessages);
}
void add_quiet(CLI::App& app, Arguments& a) {
  app.add_flag("-q,--quiet", a.quiet, "Errors only: no warnings, no summary")->group(kMessages);
}

/// A command that runs programs.
void add_torch_libraries(CLI::App& app, std::vector<std::string>& libraries) {
  app.add_option("--torch-library", libraries,
                 "Library of a pack that registers its torch operators; may be repeated")
      ->type_name("FILE")
      ->group("Plugins")
      ->allow_extra_args(false);
}

/// A command that calls plugins.
template <class F>
Command with_time_limit(CLI::App& app, Arguments& a, F run) {
  app.add_option("--time-limit", a.time_limit,
                 "End with an error where one call into a plugin takes longer (default: no limit)")
      ->type_name("SECONDS")
      ->group("Plugins");
  return {&app, [&a, run] {
            std::optional<plugin::TimeLimit> limit;
            if (a.time_limit) limit.emplace(std::chrono::seconds(a.time_limit));
            return run();
          }};
}

// ---- convert

/// What an archive holds is chosen; nullopt: nothing else was asked for.
std::optional<Diagnostic> fit_to_archive(const CLI::App& command, Arguments& a) {
  const auto fault = [](const std::string& what, const char* note) {
    return Diagnostic{Severity::kError, "command line", "--format pt2: " + what, {note}};
  };
  if (!a.out.ends_with(".pt2"))
    return fault("expected -o NAME.pt2, got '" + a.out + "'", "the archive is one file");
  if (command.count("--dialect") && a.options.dialect != fx::Dialect::kAten)
    return fault("expected --dialect aten, got 'nn'", "torch.export knows no calls but ATen's");
  if (command.count("--weights") && a.options.weights == weights::Mode::kReference)
    return fault("expected --weights copy, meta or random, got 'reference'",
                 "an archive refers to no other file");
  a.options.dialect = fx::Dialect::kAten;
  return std::nullopt;
}

/// What stands beside the source is chosen; nullopt: nothing else was asked for.
std::optional<Diagnostic> fit_to_source(const CLI::App& command, const Arguments& a) {
  const auto fault = [](const std::string& what, const char* note) {
    return Diagnostic{Severity::kError, "command line", "--format source: " + what, {note}};
  };
  if (a.options.dialect != fx::Dialect::kNn)
    return fault("expected --dialect nn, got 'aten'",
                 "the source is written in torch.nn's modules");
  if (command.count("--weights") && a.options.weights == weights::Mode::kReference)
    return fault("expected --weights copy or random, got 'reference'",
                 "the folder has weights of its own, and refers to no other file");
  if (a.options.weights == weights::Mode::kMeta)
    return fault("expected --weights copy or random, got 'meta'",
                 "Model.load() reads the weights that stand beside model.py");
  return std::nullopt;
}

int run_convert(const CLI::App& command, Arguments& a) {
  if (a.model.empty() || a.out.empty())
    return refuse(
        {Severity::kError,
         "command line",
         std::string("expected MODEL -o DIR, got no ") + (a.model.empty() ? "MODEL" : "-o DIR"),
         {}},
        command);
  if (a.format == Format::kPt2)
    if (const auto fault = fit_to_archive(command, a)) return refuse(*fault, command);
  if (a.format == Format::kSource)
    if (const auto fault = fit_to_source(command, a)) return refuse(*fault, command);
  if (is_standard_input(a.model) && a.options.weights == weights::Mode::kReference) {
    if (command.count("--weights"))
      return refuse({Severity::kError,
                     "command line",
                     "--weights: expected copy, meta or random for a model on standard input, got "
                     "'reference'",
                     {"there is no file that the weights could be left in"}},
                    command);
    a.options.weights = weights::Mode::kCopy;
  }
  return convert_command(a);
}

Command convert_by(CLI::App& app, Arguments& a) {
  app.add_option("MODEL", a.model, "ONNX model; - for standard input, whose weights are copied")
      ->type_name("");
  app.add_option("-o,--output", a.out, "Folder of the FX package to write")
      ->type_name("DIR")
      ->group(kPackage);
  CLI::Option* format = app.add_option(
      "--format", a.format,
      "package (default): an FX package, the folder DIR; pt2: an archive for torch.export.load, "
      "which is one file, DIR.pt2; source: model.py, as a person would write it, and "
      "weights.safetensors in the folder DIR. The last two Python writes");
  format->type_name(CLI::detail::join(kFormatWords, "|"))->group(kPackage);
  format->transform(index_of(kFormatWords));
  format->transform(word_of(kFormatWords));  // goes before
  app.add_flag("--force", a.force, "Replace a package of another model")->group(kPackage);
  add_json(app, a);
  add_quiet(app, a);
  app.add_flag("-v,--verbose", a.verbose, "Say more: who lowered it, what was written")
      ->group(kMessages)
      ->excludes("--quiet");
  add_options(app, a.options);
  app.footer(
      "Examples:\n"
      "  onnx2fx model.onnx -o out\n"
      "  onnx2fx model.onnx -o out --dialect aten --weights copy\n"
      "  onnx2fx model.onnx -o model.pt2 --format pt2\n"
      "  onnx2fx model.onnx -o source --format source\n"
      "  onnx2fx model.onnx -o out --input-shape x=1,3,H,W --json");
  return with_time_limit(app, a, [&app, &a] { return run_convert(app, a); });
}

// ---- the others

CLI::App* add(CLI::App& app, const char* name, const char* what, const char* examples = "") {
  CLI::App* c = app.add_subcommand(name, what);
  c->group("Commands");
  c->footer(*examples ? std::string("Examples:\n") + examples : "");
  return c;
}

void add_model(CLI::App& app, Arguments& a, const char* what) {
  app.add_option("MODEL", a.model, what)->required()->type_name("");
}

void add_sizes(CLI::App& app, Arguments& a) {
  app.add_option("--size", a.sizes,
                 "Sizes of the symbolic dims, for multiply-accumulates and activations; may be "
                 "repeated")
      ->type_name("NAME=N,...")
      ->allow_extra_args(false);
}

Command inspect_command(CLI::App& app, Arguments& a) {
  CLI::App* c =
      add(app, "inspect",
          "What a model is and what it costs, layer by layer; who would lower it, what is missing",
          "  onnx2fx inspect model.onnx --size batch=1,time=400\n"
          "  onnx2fx inspect model.onnx --plugin-dir packs --json");
  add_model(*c, a, "ONNX model; - for standard input");
  add_sizes(*c, a);
  add_json(*c, a);
  add_options(*c, a.options);
  return with_time_limit(
      *c, a, [&a] { return inspect_model(a.model, a.options, a.sizes, a.json, std::cout); });
}

/// What keeps a page from being written; nullopt: nothing.
std::optional<Diagnostic> unfit_for_view(const Arguments& a) {
  const auto fault = [](const std::string& what, const char* note) {
    return Diagnostic{Severity::kError, "command line", "view: " + what, {note}};
  };
  if (is_standard_input(a.model))
    return fault("expected the path of a model or a package, got '-'",
                 "write standard input to a file");
  if (!a.out.ends_with(".html"))
    return fault("expected -o NAME.html, got '" + a.out + "'", "the page is one file");
  return std::nullopt;
}

Command view_command_of(CLI::App& app, Arguments& a) {
  CLI::App* c = add(app, "view",
                    "Write one HTML file to look at: the graph, block by block, beside the ONNX "
                    "nodes that it comes from; needs Python with torch",
                    "  onnx2fx view model.onnx -o model.html --size batch=1\n"
                    "  onnx2fx view out -o out.html");
  add_model(*c, a, "ONNX model, or folder of an FX package");
  c->add_option("-o,--output", a.out, "File to write, NAME.html; one that is there is replaced")
      ->required()
      ->type_name("FILE");
  add_sizes(*c, a);
  add_quiet(*c, a);
  add_options(*c, a.options);
  return with_time_limit(*c, a, [c, &a] {
    if (const auto fault = unfit_for_view(a)) return refuse(*fault, *c);
    return view_command(a);
  });
}

Command verify_command(CLI::App& app, Arguments& a) {
  CLI::App* c =
      add(app, "verify", "Run the converted program in LibTorch against stored reference data",
          "  onnx2fx verify model.onnx\n"
          "  onnx2fx verify model.onnx --data test_data_set_0 --rtol 1e-4");
  std::error_code none;
  const std::string runtime = runtime::library_path(a.options.plugins.builtin_directory);
  if (!std::filesystem::exists(runtime, none)) c->group("");  // help leaves it out
  verify::VerifyOptions& v = a.verification;
  add_model(*c, a, "ONNX model");
  c->add_option("--data", v.data,
                "A test_data_set folder, or a folder of them; default: the model's own")
      ->type_name("DIR");
  c->add_option("--rtol", v.tolerance.rtol, "Relative tolerance");
  c->add_option("--atol", v.tolerance.atol, "Absolute tolerance");
  add_torch_libraries(*c, v.torch_libraries);
  add_json(*c, a);
  add_options(*c, a.options);
  return with_time_limit(*c, a, [c, &a, &v] {
    if (is_standard_input(a.model))
      return refuse({Severity::kError,
                     "command line",
                     "verify: expected the path of a model, got '-'",
                     {"write standard input to a file"}},
                    *c);
    v.model = a.model;
    v.json = a.json;
    v.conversion = a.options;
    return verify::verify(v, std::cout);
  });
}

Command ops_command(CLI::App& app, Arguments& a) {
  CLI::App* c = add(app, "ops", "Operators that this installation lowers, and who provides them",
                    "  onnx2fx ops --json");
  add_json(*c, a);
  add_quiet(*c, a);
  add_options(*c, a.options.plugins);
  return {c, [&a] { return list_ops(a.options.plugins, a.json, a.quiet); }};
}

Command plugins_command(CLI::App& app, Arguments& a) {
  CLI::App* c =
      add(app, "plugins", "Plugins found, loading none", "  onnx2fx plugins --plugin-dir packs");
  add_json(*c, a);
  add_quiet(*c, a);
  add_options(*c, a.options.plugins);
  return {c, [&a] { return list_plugins(a.options.plugins, a.json, a.quiet); }};
}

Command plugin_check_command(CLI::App& plugin, Arguments& a) {
  CLI::App* c =
      add(plugin, "check",
          "Hold a library against the ABI rules and try each of its operators, in a child "
          "process",
          "  onnx2fx plugin check build/rope.so");
  c->add_option("library", a.library, "Plugin library")->required()->type_name("");
  add_json(*c, a);
  return {c, [&a] { return check_plugin(a.library, a.json); }};
}

Command plugin_test_command(CLI::App& plugin, Arguments& a) {
  CLI::App* c = add(plugin, "test",
                    "Run small models through a pack, and compare with the numbers beside them",
                    "  onnx2fx plugin test build/rope.so --cases tests/cases");
  c->add_option("library", a.library, "Plugin library, its descriptor beside it")
      ->required()
      ->type_name("");
  c->add_option("--cases", a.cases,
                "Folder of NAME.case: a model in ONNX's text syntax, a line '--- data', its inputs "
                "and outputs; default: the folder cases beside the library")
      ->type_name("DIR");
  add_torch_libraries(*c, a.verification.torch_libraries);
  add_json(*c, a);
  add_options(*c, a.options.plugins);
  return with_time_limit(*c, a, [&a] {
    const auto beside = std::filesystem::path(a.library).parent_path() / "cases";
    return test_plugin(a.library, a.cases.empty() ? beside.string() : a.cases, a.options,
                       a.verification.torch_libraries, a.json);
  });
}

Command plugin_new_command(CLI::App& plugin, Arguments& a) {
  CLI::App* c = add(plugin, "new", "Write a pack to start from, with its tests",
                    "  onnx2fx plugin new com.acme.rope-pack rope\n"
                    "  onnx2fx plugin new com.acme.store store --kind weights");
  NewPlugin& pack = a.pack;
  c->add_option("id", pack.id, "com.acme.rope-pack")->required()->type_name("");
  c->add_option("folder", pack.folder, "New folder")->required()->type_name("");
  c->add_option("--kind", pack.kind,
                "ops: decompositions (default); torch-op: a torch operator with a kernel of its "
                "own; reference: a function that computes before there is a kernel; weights: a "
                "source of weights")
      ->type_name("ops|torch-op|reference|weights");
  c->add_option("--lang", pack.language, "cpp (default), c (of ops), python (of ops, torch-op)")
      ->type_name("cpp|c|python");
  add_json(*c, a);
  return {c, [&a, &pack] { return new_plugin(pack, sdk_directory(), cmake_directory(), a.json); }};
}

Command manifest_check_command(CLI::App& manifest, Arguments& a) {
  CLI::App* c =
      add(manifest, "check",
          "Say every fault of a manifest, or who lowers what by its op sets; loads no plugin",
          "  onnx2fx manifest check manifest.json");
  plugin::Options& o = a.options.plugins;
  add_json(*c, a);
  add_options(*c, o);
  c->remove_option(c->get_option("--manifest"));
  c->add_option("file", o.manifest, "Manifest")->required()->type_name("");
  return {c, [&a, &o] { return check_manifest(o, a.json); }};
}

Command version_command(CLI::App& app) {
  return {add(app, "version", "The version, as --version"), [] {
            std::cout << "onnx2fx " << kVersion << "\n";
            return 0;
          }};
}

Command completion_command(CLI::App& app, Arguments& a) {
  CLI::App* c =
      add(app, "completion", "Write what a shell sources to complete this command",
          "  source <(onnx2fx completion bash)     in ~/.bashrc; likewise zsh in ~/.zshrc\n"
          "  onnx2fx completion fish | source      in ~/.config/fish/config.fish");
  c->add_option("SHELL", a.shell, "The shell")
      ->required()
      ->type_name(CLI::detail::join(kShells, "|"))
      ->check(word_of(kShells));
  return {c, [&app, &a] {
            std::cout << completion(app, a.shell);
            return 0;
          }};
}

Command man_command(CLI::App& app) {
  return {add(app, "man", "Write the manual page, in roff",
              "  onnx2fx man > ~/.local/share/man/man1/onnx2fx.1"),
          [&app] {
            std::cout << man_page(app, kVersion);
            return 0;
          }};
}

Command help_command(CLI::App& app, Arguments& a) {
  CLI::App* c = add(app, "help", "This text, or that of a command", "  onnx2fx help plugin check");
  c->add_option("COMMAND", a.topic, "Command")
      ->type_name(CLI::detail::join(command_names(app), "|"));
  return {c, [&app, &a] {
            const CLI::App* of = &app;
            for (const std::string& word : a.topic) {
              const CLI::App* below = command_named(*of, word);
              if (!below) return refuse(unknown_command(*of, word), app);
              of = below;
            }
            // App::help() would tell of the command that runs, which is this one.
            std::cout << app.get_formatter()->make_help(of, called(*of),
                                                        CLI::AppFormatMode::Normal);
            return 0;
          }};
}

/// An option that prints a folder of the installation, and no more.
void add_folder(CLI::App& app, const char* flag, const char* what, std::string (*folder)()) {
  app.add_flag_callback(
         flag,
         [flag, folder] {
           const std::string path = folder();
           if (path.empty())
             throw CLI::ValidationError(flag, "expected it in this installation, got none");
           throw CLI::CallForVersion(path, 0);  // which prints a text and ends
         },
         what)
      ->trigger_on_parse();
}

}  // namespace

std::vector<Command> add_commands(CLI::App& app, Arguments& a) {
  app.formatter(std::make_shared<Help>());
  app.allow_extras();  // unknown_word() has more to say of them
  app.require_subcommand(0, 1);
  app.set_version_flag("-V,--version", std::string("onnx2fx ") + kVersion);
  add_folder(app, "--sdk-dir", "Print the folder of the SDK for packs", sdk_directory);
  add_folder(app, "--cmake-dir", "Print the folder for CMake's onnx2fx_DIR", cmake_directory);
  std::vector<Command> all{convert_by(app, a)};
  all.push_back(convert_by(*add(app, "convert", "Convert a model; the word may be left out"), a));
  all.push_back(inspect_command(app, a));
  all.push_back(view_command_of(app, a));
  all.push_back(verify_command(app, a));
  all.push_back(ops_command(app, a));
  all.push_back(plugins_command(app, a));
  CLI::App* plugin = add(app, "plugin", "For authors of plugins");
  plugin->require_subcommand(1);
  all.push_back(plugin_check_command(*plugin, a));
  all.push_back(plugin_test_command(*plugin, a));
  all.push_back(plugin_new_command(*plugin, a));
  CLI::App* manifest = add(app, "manifest", "For authors of manifests");
  manifest->require_subcommand(1);
  all.push_back(manifest_check_command(*manifest, a));
  all.push_back(completion_command(app, a));
  all.push_back(man_command(app));
  all.push_back(version_command(app));
  all.push_back(help_command(app, a));  // the last: it knows the names of the others
  return all;
}

}  // namespace onnx2fx::cli
