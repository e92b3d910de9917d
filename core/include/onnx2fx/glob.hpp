// The globs of options, manifests and onnx_to_fx.bind: one dialect, that of Python's
// fnmatch.fnmatchcase.
//
//     *        any characters, or none         [ab-f]   one of these
//     ?        any one character               [!ab-f]  any one but these
//
// All else stands for itself, a '[' that nothing closes too; a ']' that opens a set belongs to it.
// A character is one of UTF-8; a byte that is part of none counts as one.
#ifndef ONNX2FX_GLOB_HPP_
#define ONNX2FX_GLOB_HPP_

#include <cstdint>
#include <optional>
#include <string_view>

namespace onnx2fx {

namespace glob {

struct Character {
  uint32_t code;
  size_t size;  ///< in bytes
};

inline Character character(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const uint32_t lead = byte(at);
  const size_t size = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  constexpr uint32_t kNone = 0x110000;  // bytes that are no characters, beyond the last of these
  if (size == 1) return {lead, 1};
  if (size == 0 || lead > 0xF4 || size > text.size() - at) return {kNone + lead, 1};
  uint32_t code = lead & (0xFFU >> (size + 1));
  for (size_t i = at + 1; i < at + size; i++) {
    if ((byte(i) & 0xC0) != 0x80) return {kNone + lead, 1};
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool none = code < kLeast[size] || code > 0x10FFFF || code >> 11 == 0x1B;
  return none ? Character{kNone + lead, 1} : Character{code, size};
}

/// The members of the set that `pattern` has at `at`, a '['; nullopt: nothing closes it.
inline std::optional<std::string_view> members(std::string_view pattern, size_t at) {
  size_t first = at + 1;
  if (first < pattern.size() && pattern[first] == '!') first++;
  const size_t end = pattern.find(']', first + 1);
  if (end == std::string_view::npos) return std::nullopt;
  return pattern.substr(at + 1, end - at - 1);
}

inline bool contains(std::string_view members, uint32_t code) {
  const bool others = members[0] == '!';
  bool found = false;
  for (size_t at = others; at < members.size();) {
    const Character low = character(members, at);
    at += low.size;
    if (at + 1 < members.size() && members[at] == '-') {
      const Character high = character(members, at + 1);
      at += 1 + high.size;
      found |= low.code <= code && code <= high.code;
    } else {
      found |= low.code == code;
    }
  }
  return found != others;
}

/// Bytes of the pattern's element at `at` if it, no '*', is or holds the character; else 0.
inline size_t fits(std::string_view pattern, size_t at, uint32_t code) {
  if (pattern[at] == '?') return 1;
  if (pattern[at] == '[')
    if (const auto set = members(pattern, at)) return contains(*set, code) ? set->size() + 2 : 0;
  const Character own = character(pattern, at);
  return own.code == code ? own.size : 0;
}

}  // namespace glob

inline bool glob_matches(std::string_view pattern, std::string_view name) {
  constexpr size_t kNone = std::string_view::npos;
  size_t p = 0, n = 0, after_star = kNone, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      resume = n;
      continue;
    }
    const glob::Character c = glob::character(name, n);
    const size_t taken = p < pattern.size() ? glob::fits(pattern, p, c.code) : 0;
    if (taken) {
      p += taken;
      n += c.size;
    } else if (after_star != kNone) {  // the last star takes one character more
      p = after_star;
      n = resume += glob::character(name, resume).size;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') p++;
  return p == pattern.size();
}

}  // namespace onnx2fx

#endif
