#include "core/runtime/number_text.hpp"

#include <c10/util/Exception.h>
#include <c10/util/Half.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "core/runtime/coerce.hpp"

namespace onnx2fx::runtime {
namespace {

std::string_view stripped(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(kSpaces), last = text.find_last_not_of(kSpaces);
  TORCH_CHECK(begin != std::string_view::npos, "expected a number, got '", text, "'");
  return text.substr(begin, last + 1 - begin);
}

[[noreturn]] void misfit(at::ScalarType type, const std::string& shown) {
  TORCH_CHECK(false, "expected a value of ", dtype_name(type), ", got ", shown);
}

int64_t fitting(bool negative, uint64_t magnitude, at::ScalarType type, const std::string& shown) {
  const at::ScalarType held = type == at::kBool ? at::kLong : type;
  const size_t bits = 8 * c10::elementSize(held);
  const uint64_t greatest =
      c10::isSignedType(held) ? (uint64_t{1} << (bits - 1)) - 1 : UINT64_MAX >> (64 - bits);
  const uint64_t least = c10::isSignedType(held) ? greatest + 1 : 0;
  if (magnitude > (negative ? least : greatest)) misfit(type, shown);
  return static_cast<int64_t>(negative ? -magnitude : magnitude);
}

int64_t cut_off(double value, at::ScalarType type, const std::string& shown) {
  const double magnitude = std::abs(std::trunc(value));
  if (!(magnitude < 0x1p64)) misfit(type, shown);
  return fitting(value < 0, static_cast<uint64_t>(magnitude), type, shown);
}

}  // namespace

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
  const std::string_view number = stripped(text);
  const char* first = number.data();
  const char* const end = first + number.size();
  if (number.size() > 1 && number[0] == '+' && number[1] != '-') first++;
  double value = 0;
  const auto result = std::from_chars(first, end, value);
  // out of range: strtod gives what Python gives, zero or infinity
  if (result.ec == std::errc::result_out_of_range && result.ptr == end)
    return std::strtod(std::string(first, end).c_str(), nullptr);
  const bool whole = result.ec == std::errc() && result.ptr == end && *(end - 1) != ')';
  TORCH_CHECK(whole, "expected a number, got '", text, "'");
  return value;
}

int64_t parse_integer(const std::string& text, at::ScalarType type) {
  std::string_view digits = stripped(text);
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  const std::string shown = "'" + text + "'";
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos)
    return cut_off(parse_real(text), type, shown);
  uint64_t magnitude = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), magnitude).ec != std::errc())
    misfit(type, shown);
  return fitting(negative, magnitude, type, shown);
}

int64_t to_integer(double value, at::ScalarType type) {
  return cut_off(value, type, python_repr(value));
}

}  // namespace onnx2fx::runtime
