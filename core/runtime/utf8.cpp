#include "core/runtime/utf8.hpp"

#include <c10/util/Exception.h>
#include <locale.h>
#include <wctype.h>

#include <cstddef>
#include <cstdint>

namespace onnx2fx::runtime {
namespace {

struct Form {
  uint8_t mask, lead;
  char32_t least;  ///< what a shorter form could not say
};
constexpr Form kForms[] = {
    {0x80, 0x00, 0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};

/// The code point at `at`, which moves behind it; -1: there is none.
char32_t next(std::string_view text, size_t& at) {
  constexpr char32_t kNone = static_cast<char32_t>(-1);
  const auto byte = static_cast<uint8_t>(text[at]);
  for (size_t more = 0; more < std::size(kForms); more++) {
    const Form& form = kForms[more];
    if ((byte & form.mask) != form.lead) continue;
    char32_t c = byte & static_cast<uint8_t>(~form.mask);
    if (text.size() - at <= more) return kNone;
    for (size_t i = 1; i <= more; i++) {
      const auto continued = static_cast<uint8_t>(text[at + i]);
      if ((continued & 0xC0) != 0x80) return kNone;
      c = c << 6 | (continued & 0x3F);
    }
    at += 1 + more;
    const bool surrogate = c >= 0xD800 && c < 0xE000;
    return c < form.least || c > 0x10FFFF || surrogate ? kNone : c;
  }
  return kNone;
}

/// glibc's tables, whatever the locale of the program.
locale_t unicode() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  TORCH_CHECK(locale, "expected the locale C.UTF-8, got none");
  return locale;
}

template <wint_t (*kMap)(wint_t, locale_t)>
std::string mapped(std::string_view text) {
  std::u32string characters = decode(text);
  for (char32_t& c : characters) c = static_cast<char32_t>(kMap(static_cast<wint_t>(c), unicode()));
  return encode(characters);
}

}  // namespace

std::u32string decode(std::string_view text) {
  std::u32string characters;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next(text, at);
    TORCH_CHECK(c != static_cast<char32_t>(-1), "expected UTF-8 text, got byte ",
                static_cast<int>(static_cast<uint8_t>(text[at])), " at ", at);
    characters += c;
  }
  return characters;
}

std::string encode(std::u32string_view text) {
  std::string bytes;
  for (const char32_t c : text) {
    size_t more = 0;
    while (more + 1 < std::size(kForms) && c >= kForms[more + 1].least) more++;
    bytes += static_cast<char>(kForms[more].lead | c >> 6 * more);
    while (more-- > 0) bytes += static_cast<char>(0x80 | (c >> 6 * more & 0x3F));
  }
  return bytes;
}

std::string lower(std::string_view text) { return mapped<towlower_l>(text); }
std::string upper(std::string_view text) { return mapped<towupper_l>(text); }

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

}  // namespace onnx2fx::runtime
