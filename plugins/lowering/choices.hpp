// Attributes that are one of a few words.
#ifndef ONNX2FX_PLUGINS_LOWERING_CHOICES_HPP_
#define ONNX2FX_PLUGINS_LOWERING_CHOICES_HPP_

#include <initializer_list>
#include <onnx2fx/plugin.hpp>
#include <string>
#include <string_view>

namespace onnx2fx {

using Words = std::initializer_list<std::string_view>;

/// The place of `got` among the words; "attribute 'mode': expected a, b or c, got 'd'" if it has
/// none.
size_t place_among(std::string_view attribute, std::string_view got, Words words);
/// A text attribute of the node, as such a place.
size_t choice(Node& n, std::string_view attribute, Words words);
/// The same as the word itself.
std::string one_of(Node& n, std::string_view attribute, Words words,
                   std::optional<std::string_view> or_else = {});

}  // namespace onnx2fx

#endif
