#include "tools/onnx2fx/usage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <system_error>
#include <utility>

#include "core/plugin/nearest.hpp"

namespace onnx2fx::cli {
namespace {

constexpr const char* kWhere = "command line";

Diagnostic unknown(std::string what, std::string_view word, const std::vector<std::string>& known) {
  return {Severity::kError, kWhere, std::move(what), plugin::did_you_mean(word, known)};
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* o : command.get_options())
    for (const std::string& name : o->get_lnames()) names.push_back("--" + name);
  return names;
}

/// "--seed=3" is the option "--seed".
Diagnostic unknown_option(const CLI::App& app, const CLI::App& command, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  Diagnostic d = unknown("unknown option '" + name + "'", name, option_names(command));
  if (!d.notes.empty()) return d;
  for (const CLI::App* other : app.get_subcommands({}))
    if (other->get_option_no_throw(name)) d.notes.push_back("it is an option of " + called(*other));
  return d;
}

}  // namespace

CLI::Validator word_of(std::span<const std::string_view> words) {
  return {
      [words](std::string& given) -> std::string {
        if (std::ranges::find(words, given) != words.end()) return "";
        std::string fault =
            fmt::format("expected one of {}, got '{}'", fmt::join(words, ", "), given);
        for (const std::string& note : plugin::did_you_mean(given, {words.begin(), words.end()}))
          fault += "\n" + note;
        return fault;
      },
      ""};
}

CLI::Validator index_of(std::span<const std::string_view> words) {
  return {[words](std::string& word) -> std::string {
            word = std::to_string(std::ranges::find(words, word) - words.begin());
            return "";
          },
          ""};
}

std::vector<const CLI::App*> commands_below(const CLI::App& app) {
  std::vector<const CLI::App*> all = app.get_subcommands({});
  std::erase_if(all, [](const CLI::App* c) { return c->get_group().empty(); });
  return all;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* c : commands_below(app)) names.push_back(c->get_name());
  return names;
}

const CLI::App& chosen(const CLI::App& app) {
  const std::vector<CLI::App*> below = app.get_subcommands();
  return below.empty() ? app : chosen(*below.front());
}

std::string called(const CLI::App& command) {
  const CLI::App* above = command.get_parent();
  return (above ? called(*above) + " " : "") + command.get_name();
}

const CLI::App* command_named(const CLI::App& app, const std::string& name) {
  const std::vector<const CLI::App*> all = app.get_subcommands({});
  const auto found =
      std::ranges::find_if(all, [&](const CLI::App* c) { return c->check_name(name); });
  return found == all.end() ? nullptr : *found;
}

Diagnostic unknown_command(const CLI::App& app, const std::string& word) {
  const std::vector<std::string> names = command_names(app);
  return unknown(fmt::format("expected a command of {}: {}, got '{}'", called(app),
                             fmt::join(names, ", "), word),
                 word, names);
}

std::optional<Diagnostic> unknown_word(const CLI::App& app, const std::string& model) {
  const CLI::App& command = chosen(app);
  const bool has_command = &command != &app;
  std::error_code none;
  if (!has_command && !model.empty() && !std::filesystem::exists(model, none)) {
    Diagnostic d =
        unknown("expected a model or a command, got '" + model + "'", model, command_names(app));
    if (!d.notes.empty()) return d;
  }
  const std::vector<std::string> unknown = app.remaining(true);
  if (unknown.empty()) return std::nullopt;
  const std::string& word = unknown.front();
  if (word.size() > 1 && word.front() == '-') return unknown_option(app, command, word);
  if (has_command && !command_names(command).empty()) return unknown_command(command, word);
  return Diagnostic{Severity::kError, kWhere, "expected no further word, got '" + word + "'", {}};
}

int refuse(Diagnostic fault, const CLI::App& app) {
  fault.notes.push_back("see " + called(chosen(app)) + " --help");
  std::cerr << format(fault) << "\n";
  return 2;
}

int refuse(const CLI::ParseError& error, const CLI::App& app) {
  // What a validator knows of a remedy is on lines of their own.
  std::vector<std::string> lines = CLI::detail::split(error.what(), '\n');
  Diagnostic fault{Severity::kError, kWhere, lines.front(), {lines.begin() + 1, lines.end()}};
  return refuse(std::move(fault), app);
}

}  // namespace onnx2fx::cli
