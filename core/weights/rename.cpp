#include "core/weights/rename.hpp"

#include <re2/re2.h>

#include <stdexcept>

namespace onnx2fx::weights {
namespace {

[[noreturn]] void refuse(const std::string& replacement, const std::string& expected) {
  throw std::invalid_argument("replace: expected " + expected + ", got \"" + replacement + "\"");
}

std::string rewrite(const std::string& replacement, int groups) {
  std::string out;
  for (size_t i = 0; i < replacement.size(); ++i) {
    const char c = replacement[i];
    if (c != '$') {
      out += c == '\\' ? "\\\\" : std::string(1, c);
      continue;
    }
    const char next = ++i < replacement.size() ? replacement[i] : '\0';
    if (next == '$') {
      out += '$';
    } else if (next == '&') {
      out += "\\0";
    } else if (next >= '1' && next <= '9') {
      if (next - '0' > groups)
        refuse(replacement,
               groups ? "groups up to $" + std::to_string(groups) + ", as match has no more"
                      : "no group, as match has none");
      out += {'\\', next};
    } else {
      refuse(replacement, "$1 to $9, $& or $$ wherever a '$' stands");
    }
  }
  return out;
}

}  // namespace

Rename::Rename(const std::string& match, const std::string& replacement) {
  re2::RE2::Options quiet;
  quiet.set_log_errors(false);
  match_ = std::make_shared<const re2::RE2>(match, quiet);
  if (!match_->ok())
    throw std::invalid_argument("match: expected a regular expression of RE2, got \"" + match +
                                "\": " + match_->error());
  rewrite_ = rewrite(replacement, match_->NumberOfCapturingGroups());
}

std::string Rename::of(std::string name) const {
  re2::RE2::GlobalReplace(&name, *match_, rewrite_);
  return name;
}

}  // namespace onnx2fx::weights
