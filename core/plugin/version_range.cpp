#include "core/plugin/version_range.hpp"

#include <array>
#include <charconv>
#include <cstdint>

namespace onnx2fx::plugin {

namespace {

/// Three numbers and, last, 0 for a pre-release, 1 for a release.
using Parts = std::array<uint64_t, 4>;

Parts parts(std::string_view text) {
  Parts r{0, 0, 0, text.find('-') == std::string_view::npos ? uint64_t{1} : uint64_t{0}};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (size_t i = 0; i < 3 && at < end; i++) {
    at = std::from_chars(at, end, r[i]).ptr;
    if (at == end || *at != '.') break;
    at++;
  }
  return r;
}

bool holds(const Parts& version, std::string_view comparison) {
  const size_t width = comparison.substr(1, 1) == "=" ? 2 : 1;
  const std::string_view sign = comparison.substr(0, width);
  const Parts bound = parts(comparison.substr(width));
  if (sign == ">=") return version >= bound;
  if (sign == "<=") return version <= bound;
  if (sign == ">") return version > bound;
  if (sign == "<") return version < bound;
  return version == bound;
}

}  // namespace

bool in_range(std::string_view version, std::string_view range) {
  const Parts v = parts(version);
  while (!range.empty()) {
    const size_t space = range.find(' ');
    if (!holds(v, range.substr(0, space))) return false;
    range = space == std::string_view::npos ? std::string_view{} : range.substr(space + 1);
  }
  return true;
}

bool is_older(std::string_view a, std::string_view b) { return parts(a) < parts(b); }

}  // namespace onnx2fx::plugin
