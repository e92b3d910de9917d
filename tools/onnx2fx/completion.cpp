#include "tools/onnx2fx/completion.hpp"

#include <fmt/format.h>

#include <vector>

#include "tools/onnx2fx/usage.hpp"

namespace onnx2fx::cli {
namespace {

using Words = std::vector<std::string>;

/// "nn|aten"; none: any value.
Words words_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.find('|') == std::string::npos ? Words{} : CLI::detail::split(type, '|');
}

bool takes_value(const CLI::Option& option) { return option.get_expected_max() > 0; }

Words spellings(const CLI::Option& option) {
  Words all;
  for (const std::string& name : option.get_snames()) all.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) all.push_back("--" + name);
  return all;
}

/// visit(command) for the program and each of its commands, the inner ones too.
template <class Visit>
void for_each_command(const CLI::App& app, const Visit& visit) {
  visit(app);
  for (const CLI::App* c : commands_below(app)) for_each_command(*c, visit);
}

// ---- bash, and zsh by its emulation of bash

/// `"onnx2fx --seed" | "onnx2fx -o"`
std::string pattern(const Words& words) {
  return fmt::format("\"{}\"", fmt::join(words, "\" | \""));
}

/// The cases of words that follow an option; of an option that takes any value: none but files.
std::string value_cases(const CLI::App& app) {
  std::string cases;
  Words any;
  for_each_command(app, [&](const CLI::App& command) {
    for (const CLI::Option* o : command.get_options()) {
      if (!o->nonpositional() || !takes_value(*o)) continue;
      Words after;
      for (const std::string& name : spellings(*o)) after.push_back(called(command) + " " + name);
      const Words words = words_of(*o);
      if (words.empty()) {
        any.insert(any.end(), after.begin(), after.end());
      } else {
        cases += fmt::format("    {}) words=\"{}\" ;;\n", pattern(after), fmt::join(words, " "));
      }
    }
  });
  return cases + fmt::format("    {}) return ;;\n", pattern(any));
}

std::string command_cases(const CLI::App& app) {
  std::string cases;
  for_each_command(app, [&](const CLI::App& command) {
    Words words = command_names(command), options;
    for (const CLI::Option* o : command.get_options()) {
      const Words more = o->nonpositional() ? spellings(*o) : words_of(*o);
      Words& to = o->nonpositional() ? options : words;
      to.insert(to.end(), more.begin(), more.end());
    }
    cases += fmt::format("        \"{}\") words=\"{}\" options=\"{}\" ;;\n", called(command),
                         fmt::join(words, " "), fmt::join(options, " "));
  });
  return cases;
}

std::string bash(const CLI::App& app) {
  Words commands;
  for_each_command(app, [&](const CLI::App& c) {
    if (&c != &app) commands.push_back(called(c));
  });
  return fmt::format(R"(_onnx2fx() {{
  local command={0} words= options= i
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
  if [ "$current" = "=" ]; then
    current=
  elif [ "$previous" = "=" ]; then
    previous=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command ${{COMP_WORDS[i]}}" in
      {1}) command="$command ${{COMP_WORDS[i]}}" ;;
    esac
  done
  COMPREPLY=()
  case "$command $previous" in
{2}    *)
      case "$command" in
{3}      esac
      case "$current" in -*) words=$options ;; esac
      ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o bashdefault -o default -F _onnx2fx {0}
)",
                     app.get_name(), pattern(commands), value_cases(app), command_cases(app));
}

std::string zsh(const CLI::App& app) {
  return "autoload -U +X bashcompinit && bashcompinit\n" + bash(app);
}

// ---- fish

std::string quoted(std::string text) {
  text = CLI::detail::find_and_replace(text, "\\", "\\\\");
  return "'" + CLI::detail::find_and_replace(text, "'", "\\'") + "'";
}

std::string fish_row(const CLI::App& command, const std::string& what, const std::string& help) {
  return fmt::format("complete -c onnx2fx -n {} {} -d {}\n",
                     quoted("test (__onnx2fx_command) = \"" + called(command) + "\""), what,
                     quoted(help));
}

std::string fish_option(const CLI::App& command, const CLI::Option& o) {
  std::string what;
  for (const std::string& name : o.get_snames()) what += "-s " + name + " ";
  for (const std::string& name : o.get_lnames()) what += "-l " + name + " ";
  const Words words = words_of(o);
  if (!words.empty()) {
    what += fmt::format("-x -a '{}'", fmt::join(words, " "));
  } else if (takes_value(o)) {
    what += "-r";
  }
  return fish_row(command, what, o.get_description());
}

std::string fish(const CLI::App& app) {
  Words commands;
  std::string rows;
  for_each_command(app, [&](const CLI::App& command) {
    if (&command != &app) commands.push_back(quoted(called(command)));
    for (const CLI::App* below : commands_below(command))
      rows += fish_row(command, "-a " + below->get_name(), below->get_description());
    for (const CLI::Option* o : command.get_options())
      if (o->nonpositional() || !words_of(*o).empty()) rows += fish_option(command, *o);
  });
  return fmt::format(R"(function __onnx2fx_command
  set -l command {}
  for word in (commandline -opc)[2..-1]
    switch "$command $word"
      case {}
        set command "$command $word"
    end
  end
  echo $command
end
{})",
                     app.get_name(), fmt::join(commands, " "), rows);
}

}  // namespace

std::string completion(const CLI::App& app, std::string_view shell) {
  return shell == "bash" ? bash(app) : shell == "zsh" ? zsh(app) : fish(app);
}

}  // namespace onnx2fx::cli
