#include "core/fx/identifier.hpp"

#include <cctype>
#include <string_view>
#include <unordered_set>

namespace onnx2fx::fx {
namespace {

const std::unordered_set<std::string_view>& reserved() {
  static const std::unordered_set<std::string_view> names = {
#define RESERVED_IDENTIFIER(name) name,
#include "core/fx/reserved_identifiers.def"
  };
  return names;
}

}  // namespace

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

bool is_reserved_identifier(std::string_view name) { return reserved().contains(name); }

std::string identifier(const std::string& text) {
  std::string s;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)))
      s += c;
    else if (!s.empty() && s.back() != '_')
      s += '_';
  }
  while (!s.empty() && s.back() == '_') s.pop_back();
  if (s.empty()) s = "value";
  if (std::isdigit(static_cast<unsigned char>(s[0]))) s = "_" + s;
  if (is_reserved_identifier(s)) s += "_";
  return s;
}

}  // namespace onnx2fx::fx
