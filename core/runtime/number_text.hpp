// Numbers as text and back, the way the Python package writes and reads them.
#ifndef ONNX2FX_CORE_RUNTIME_NUMBER_TEXT_HPP_
#define ONNX2FX_CORE_RUNTIME_NUMBER_TEXT_HPP_

#include <c10/core/ScalarType.h>

#include <string>

namespace onnx2fx::runtime {

/// Python's repr() of a float: "1.0", "1e-05", "inf".
std::string python_repr(double value);
/// The shortest decimal from which a float of that type is read back.
std::string number_text(double value, at::ScalarType type);
/// Throws c10::Error on anything but a decimal number, inf or nan.
double parse_real(const std::string& text);

}  // namespace onnx2fx::runtime

#endif
