#include "core/runtime/compare.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/core/Dict.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/isclose.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/view_as_real.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/runtime/coerce.hpp"
#include "core/runtime/strings.hpp"

namespace onnx2fx::runtime {
namespace {

std::string text(at::IntArrayRef dims) {
  std::string s = "[";
  for (const int64_t d : dims) s += (s.size() > 1 ? ", " : "") + std::to_string(d);
  return s + "]";
}

std::string expected_got(const std::string& what, const std::string& expected,
                         const std::string& actual) {
  return what + ": expected " + expected + ", got " + actual;
}

std::string kind(const c10::IValue& value) {
  if (value.isNone()) return "nothing";
  if (value.isTensor()) return "a tensor";
  if (as_strings(value)) return "strings";
  if (value.isList() || value.isTuple()) return "a sequence";
  if (value.isGenericDict()) return "a map";
  return value.tagKind();
}

at::Tensor real_numbers(const at::Tensor& tensor) {
  if (tensor.is_complex()) return at::view_as_real(tensor.resolve_conj().to(at::kComplexDouble));
  return tensor.to(at::kFloat8_e8m0fnu == tensor.scalar_type() ? at::kFloat : at::kDouble)
      .to(at::kDouble);
}

double maximum(const at::Tensor& tensor) {
  return tensor.numel() ? tensor.max().item<double>() : 0;
}

class Comparison {
 public:
  Comparison(OutputCheck& check, const Tolerance& tolerance)
      : check_(check), tolerance_(tolerance) {}

  void values(const c10::IValue& actual, const c10::IValue& expected, const std::string& place) {
    if (kind(actual) != kind(expected))
      return fail(place, expected_got("kind", kind(expected), kind(actual)));
    if (expected.isTensor()) return tensors(actual.toTensor(), expected.toTensor(), place);
    if (as_strings(expected)) return strings(to_strings(actual), to_strings(expected), place);
    if (expected.isGenericDict())
      return maps(actual.toGenericDict(), expected.toGenericDict(), place);
    if (expected.isNone()) return;
    const std::vector<c10::IValue> left = elements(actual), right = elements(expected);
    if (left.size() != right.size())
      return fail(
          place, expected_got("length", std::to_string(right.size()), std::to_string(left.size())));
    for (size_t i = 0; i < left.size(); i++)
      values(left[i], right[i], place + "[" + std::to_string(i) + "]");
  }

 private:
  void fail(const std::string& place, std::string difference) {
    if (!check_.difference.empty()) return;
    check_.difference =
        place.empty() ? std::move(difference) : place + ": " + std::move(difference);
  }

  void tensors(const at::Tensor& actual, const at::Tensor& expected, const std::string& place) {
    if (actual.scalar_type() != expected.scalar_type())
      fail(place, expected_got("dtype", dtype_name(expected.scalar_type()),
                               dtype_name(actual.scalar_type())));
    if (actual.sizes() != expected.sizes())
      return fail(place, expected_got("shape", text(expected.sizes()), text(actual.sizes())));
    if (!tolerance_.values) return;
    const at::Tensor left = real_numbers(actual.detach().cpu()), right = real_numbers(expected);
    const double relative = expected.scalar_type() == at::kBFloat16
                                ? std::max(tolerance_.rtol, 1.0 / 64)
                                : tolerance_.rtol;
    const at::Tensor close =
        at::isclose(left, right, relative, tolerance_.atol, /*equal_nan=*/true);
    const at::Tensor zero = at::scalar_tensor(0.0, at::kDouble);
    const at::Tensor comparable = at::isfinite(left).logical_and(at::isfinite(right));
    const at::Tensor distance = at::where(comparable, (left - right).abs(), zero);
    const at::Tensor scaled = at::where(right != 0, distance / right.abs(), zero);
    check_.max_absolute = std::max(check_.max_absolute, maximum(distance));
    check_.max_relative =
        std::max(check_.max_relative, maximum(at::where(comparable, scaled, zero)));
    const int64_t wrong = close.numel() - close.sum().item<int64_t>();
    if (wrong == 0) return;
    const int64_t first = close.flatten().to(at::kByte).argmin().item<int64_t>();
    fail(place, "values: " + std::to_string(wrong) + " of " + std::to_string(close.numel()) +
                    " differ, first at " + std::to_string(first) + ": " +
                    expected_got("value", number(right, first), number(left, first)));
  }

  static std::string number(const at::Tensor& tensor, int64_t index) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.9g", tensor.flatten()[index].item<double>());
    return buffer;
  }

  void strings(const Strings& actual, const Strings& expected, const std::string& place) {
    if (actual.dims != expected.dims)
      return fail(place, expected_got("shape", text(expected.dims), text(actual.dims)));
    if (!tolerance_.values) return;
    for (size_t i = 0; i < expected.elements.size(); i++)
      if (actual.elements[i] != expected.elements[i])
        return fail(place,
                    expected_got("string " + std::to_string(i), "'" + expected.elements[i] + "'",
                                 "'" + actual.elements[i] + "'"));
  }

  void maps(const c10::Dict<c10::IValue, c10::IValue>& actual,
            const c10::Dict<c10::IValue, c10::IValue>& expected, const std::string& place) {
    if (actual.size() != expected.size())
      return fail(place, expected_got("size", std::to_string(expected.size()),
                                      std::to_string(actual.size())));
    for (const auto& entry : expected) {
      const std::string key =
          entry.key().isInt() ? std::to_string(entry.key().toInt()) : entry.key().toStringRef();
      const auto found = actual.find(entry.key());
      if (found == actual.end())
        return fail(place, "key '" + key + "': expected a value, got none");
      values(found->value(), entry.value(), place + "['" + key + "']");
    }
  }

  OutputCheck& check_;
  const Tolerance& tolerance_;
};

}  // namespace

OutputCheck compare(std::string name, const c10::IValue& actual, const c10::IValue& expected,
                    const Tolerance& tolerance) {
  OutputCheck check;
  check.name = std::move(name);
  Comparison(check, tolerance).values(actual, expected, "");
  check.passed = check.difference.empty();
  return check;
}

}  // namespace onnx2fx::runtime
