#include "core/build/names.hpp"

#include <cctype>
#include <string_view>
#include <unordered_set>

namespace onnx2fx::conversion {
namespace {

const std::unordered_set<std::string_view>& reserved() {
  static const std::unordered_set<std::string_view> names = {
#define RESERVED_IDENTIFIER(name) name,
#include "core/build/reserved_identifiers.def"
  };
  return names;
}

}  // namespace

bool is_reserved(std::string_view name) { return reserved().contains(name); }

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
  if (is_reserved(s)) s += "_";
  return s;
}

std::string NameSet::claim(const std::string& wanted) {
  if (next_.try_emplace(wanted, 1).second) return wanted;
  int n = next_[wanted];
  std::string name;
  do name = wanted + "_" + std::to_string(n++);
  while (next_.contains(name));
  next_[wanted] = n;
  next_[name] = 1;
  return name;
}

}  // namespace onnx2fx::conversion
