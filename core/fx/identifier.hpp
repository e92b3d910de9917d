// Identifiers for FX: any text -> a Python identifier that is no keyword and no builtin.
#ifndef ONNX2FX_CORE_FX_IDENTIFIER_HPP_
#define ONNX2FX_CORE_FX_IDENTIFIER_HPP_

#include <string>
#include <string_view>

namespace onnx2fx::fx {

/// A keyword, a builtin, or a name that the code of a GraphModule has a use for.
bool is_reserved_identifier(std::string_view name);

/// A letter, a digit or "_".
bool is_word(char c);

/// Deterministic; not unique: callers add a number. "/fc1/Gemm" -> "fc1_Gemm", "input" -> "input_".
std::string identifier(const std::string& text);

}  // namespace onnx2fx::fx

#endif
