// Numbers as text and back, the way the Python package writes and reads them.
#ifndef ONNX2FX_CORE_RUNTIME_NUMBER_TEXT_HPP_
#define ONNX2FX_CORE_RUNTIME_NUMBER_TEXT_HPP_

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>

namespace onnx2fx::runtime {

/// Python's repr() of a float: "1.0", "1e-05", "inf".
std::string python_repr(double value);
/// The shortest decimal from which a float of that type is read back.
std::string number_text(double value, at::ScalarType type);
/// Throws c10::Error on anything but a decimal number, inf or nan, with spaces around it.
double parse_real(const std::string& text);
/// A fraction is cut off; kUInt64: the bits. Throws c10::Error on what the type cannot hold.
int64_t parse_integer(const std::string& text, at::ScalarType type);
int64_t to_integer(double value, at::ScalarType type);

}  // namespace onnx2fx::runtime

#endif
