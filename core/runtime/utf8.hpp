// Texts as Unicode's code points.
#ifndef ONNX2FX_CORE_RUNTIME_UTF8_HPP_
#define ONNX2FX_CORE_RUNTIME_UTF8_HPP_

#include <string>
#include <string_view>

namespace onnx2fx::runtime {

/// Throws c10::Error where the text is not UTF-8.
std::u32string decode(std::string_view text);
std::string encode(std::u32string_view text);

/// Unicode's simple mapping, character by character.
std::string lower(std::string_view text);
std::string upper(std::string_view text);

/// What Python's str.split takes for a space.
bool is_space(char32_t c);

}  // namespace onnx2fx::runtime

#endif
