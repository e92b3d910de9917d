#include "plugins/lowering/choices.hpp"

#include <algorithm>

namespace onnx2fx {

size_t place_among(std::string_view attribute, std::string_view got, Words words) {
  const auto* const found = std::find(words.begin(), words.end(), got);
  if (found != words.end()) return static_cast<size_t>(found - words.begin());
  std::string list;
  for (const std::string_view& word : words) {
    if (!list.empty()) list += &word + 1 == words.end() ? " or " : ", ";
    list += word;
  }
  throw Invalid("attribute '" + std::string(attribute) + "': expected " + list + ", got '" +
                std::string(got) + "'");
}

size_t choice(Node& n, std::string_view attribute, Words words) {
  return place_among(attribute, n.text(attribute), words);
}

std::string one_of(Node& n, std::string_view attribute, Words words,
                   std::optional<std::string_view> or_else) {
  std::string got = n.text(attribute, or_else);
  place_among(attribute, got, words);
  return got;
}

}  // namespace onnx2fx
