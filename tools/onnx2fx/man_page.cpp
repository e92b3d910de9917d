#include "tools/onnx2fx/man_page.hpp"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "tools/onnx2fx/usage.hpp"

namespace onnx2fx::cli {
namespace {

/// Text as roff takes it; no line of it may look like a request.
std::string roff(const std::string& text) {
  std::string s;
  for (const char c : text) {
    if ((c == '.' || c == '\'') && (s.empty() || s.back() == '\n')) s += "\\&";
    if (c == '\\') {
      s += "\\e";
    } else if (c == '-') {
      s += "\\-";
    } else {
      s += c;
    }
  }
  return s;
}

std::string verbatim(const std::string& text) {
  return ".nf\n" + roff(text) + (text.ends_with('\n') ? "" : "\n") + ".fi\n";
}

/// "-o, --output DIR"; of an argument "MODEL".
std::string head(const CLI::Option& o) {
  std::string names;
  for (const std::string& name : o.get_snames()) names += ", -" + name;
  for (const std::string& name : o.get_lnames()) names += ", --" + name;
  names = names.empty() ? o.get_name(true) : names.substr(2);
  names = names.substr(0, names.find("{false}"));
  const std::string value = o.get_type_name();
  return fmt::format(".TP\n\\fB{}\\fR{}\n", roff(names),
                     value.empty() ? "" : " \\fI" + roff(value) + "\\fR");
}

std::string option(const CLI::Option& o) { return head(o) + roff(o.get_description()) + "\n"; }

/// By topic, as help has them.
std::string options_by_topic(const CLI::App& app) {
  std::string text;
  for (const CLI::Option* o : app.get_options())
    if (!o->nonpositional()) text += option(*o);
  for (const std::string& topic : app.get_groups()) {
    text += ".SS " + roff(topic) + "\n";
    for (const CLI::Option* o : app.get_options())
      if (o->nonpositional() && o->get_group() == topic) text += option(*o);
  }
  return text;
}

std::string key(const CLI::Option& o) { return o.get_name() + "\n" + o.get_description(); }

/// Those that it shares with the program are named only.
std::string options_of(const CLI::App& command, const std::set<std::string>& of_program) {
  std::string own, shared;
  for (const CLI::Option* o : command.get_options()) {
    if (o->check_lname("help")) continue;
    if (of_program.contains(key(*o)) && o->nonpositional()) {
      shared += (shared.empty() ? "" : ", ") + ("--" + o->get_lnames().front());
    } else {
      own += option(*o);
    }
  }
  if (!shared.empty()) own += ".PP\nAs above: " + roff(shared) + ".\n";
  return own;
}

std::string sections_below(const CLI::App& app, const std::set<std::string>& of_program) {
  std::string text;
  for (const CLI::App* c : commands_below(app)) {
    text += ".SS " + roff(called(*c)) + "\n" + roff(c->get_description()) + ".\n";
    text += options_of(*c, of_program);
    const std::string& examples = c->get_footer();
    if (!examples.empty()) text += ".PP\n" + verbatim(examples);
    text += sections_below(*c, of_program);
  }
  return text;
}

}  // namespace

std::string man_page(const CLI::App& app, const std::string& version) {
  std::set<std::string> of_program;
  for (const CLI::Option* o : app.get_options()) of_program.insert(key(*o));
  return ".TH ONNX2FX 1 \"\" \"onnx2fx " + roff(version) + "\"\n" +
         ".SH NAME\nonnx2fx \\- converts ONNX models into torch.fx programs\n" +
         ".SH SYNOPSIS\n\\fBonnx2fx\\fR [convert] \\fIMODEL\\fR \\-o \\fIDIR\\fR "
         "[\\fIOPTIONS\\fR]\n" +
         ".br\n\\fBonnx2fx\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n" + ".SH OPTIONS\n" +
         options_by_topic(app) + ".SH COMMANDS\n" + sections_below(app, of_program) +
         ".SH EXIT STATUS\n" +
         ".TP\n0\nNothing is wrong.\n.TP\n1\nThe model cannot be converted, or something of it is "
         "missing.\n.TP\n2\nThe command line is not understood.\n.TP\n3\nA plugin, a descriptor or "
         "a manifest is at fault.\n" +
         ".SH EXAMPLES\n" + verbatim(app.get_footer().substr(app.get_footer().find('\n') + 1));
}

}  // namespace onnx2fx::cli
