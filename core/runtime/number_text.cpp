#include "core/runtime/number_text.hpp"

#include <c10/util/Exception.h>
#include <c10/util/Half.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace onnx2fx::runtime {

std::string python_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string text(buffer, end);
  const size_t e = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + e + 1 + (text[e + 1] == '+'), text.data() + text.size(), exponent);
  const std::string sign = text[0] == '-' ? "-" : "";
  std::string digits;
  for (const char c : text.substr(0, e))
    if (c >= '0' && c <= '9') digits += c;
  if (exponent < -4 || exponent >= 16) {
    const std::string fraction = digits.size() > 1 ? "." + digits.substr(1) : "";
    const std::string power = std::to_string(std::abs(exponent));
    return sign + digits[0] + fraction + (exponent < 0 ? "e-" : "e+") +
           (power.size() < 2 ? "0" : "") + power;
  }
  if (exponent < 0)
    return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  const size_t whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string number_text(double value, at::ScalarType type) {
  const int most = type == at::kHalf ? 5 : type == at::kFloat ? 9 : 0;
  for (int digits = 0; digits < most; digits++) {
    char buffer[40];
    std::snprintf(buffer, sizeof buffer, "%.*e", digits, value);
    const double read = std::strtod(buffer, nullptr);
    const double narrow = type == at::kHalf
                              ? static_cast<float>(c10::Half(static_cast<float>(read)))
                              : static_cast<double>(static_cast<float>(read));
    if (narrow == value) return python_repr(read);
  }
  return python_repr(value);
}

double parse_real(const std::string& text) {
  const char* const spaces = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(spaces), last = text.find_last_not_of(spaces);
  TORCH_CHECK(begin != std::string::npos, "expected a number, got '", text, "'");
  const char* first = text.data() + begin;
  const char* const end = text.data() + last + 1;
  if (*first == '+' && first + 1 < end && first[1] != '-') first++;
  double value = 0;
  const auto result = std::from_chars(first, end, value);
  // out of range: strtod gives what Python gives, zero or infinity
  if (result.ec == std::errc::result_out_of_range)
    return std::strtod(std::string(first, end).c_str(), nullptr);
  TORCH_CHECK(result.ec == std::errc() && result.ptr == end, "expected a number, got '", text, "'");
  return value;
}

}  // namespace onnx2fx::runtime
