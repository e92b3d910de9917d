// Maps: dictionaries with keys of one type, integers or strings.
#include <ATen/core/Dict.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/runtime/coerce.hpp"
#include "core/runtime/leaf_functions.hpp"
#include "core/runtime/number_text.hpp"
#include "core/runtime/strings.hpp"

namespace onnx2fx::runtime::leaf {
namespace {

const std::string* as_text(const c10::IValue& value) {
  if (value.isString()) return &value.toStringRef();
  const Strings* strings = as_strings(value);
  return strings ? &strings->elements.at(0) : nullptr;
}

c10::Scalar scalar(const c10::IValue& value) {
  return value.isTensor() ? value.toTensor().item() : value.toScalar();
}

// A value of a map as a number, whatever holds it.
double as_real(const c10::IValue& value) {
  const std::string* text = as_text(value);
  return text ? parse_real(*text) : scalar(value).toDouble();
}
int64_t as_integer(const c10::IValue& value, at::ScalarType type) {
  if (const std::string* text = as_text(value)) return parse_integer(*text, type);
  const c10::Scalar number = scalar(value);
  return number.isFloatingPoint() ? to_integer(number.toDouble(), type) : number.toLong();
}

std::string as_text_of(const c10::IValue& value) {
  if (const std::string* text = as_text(value)) return *text;
  const double number = as_real(value);
  if (std::isnan(number)) return "nan";  // it has a sign in C
  char text[512];
  std::snprintf(text, sizeof text, "%f", number);
  return text;
}

// Shape [1, C]: strings without a dtype. An element without a value is 0 or "".
c10::IValue row(const std::vector<std::optional<c10::IValue>>& values, const c10::IValue& dtype) {
  const int64_t width = static_cast<int64_t>(values.size());
  if (dtype.isNone()) {
    std::vector<std::string> texts;
    texts.reserve(values.size());
    for (const auto& value : values) texts.push_back(value ? as_text_of(*value) : std::string());
    return make_strings({1, width}, std::move(texts));
  }
  const at::ScalarType type = dtype.toScalarType();
  const bool real = c10::isFloatingType(type);
  at::Tensor wide =
      at::zeros({1, width}, at::TensorOptions().dtype(real ? at::kDouble : at::kLong));
  for (size_t i = 0; i < values.size(); i++) {
    if (!values[i]) continue;
    if (real) {
      wide.mutable_data_ptr<double>()[i] = as_real(*values[i]);
    } else {
      wide.mutable_data_ptr<int64_t>()[i] = as_integer(*values[i], type);
    }
  }
  return wide.to(type);
}

// Either the integers or the strings.
std::vector<c10::IValue> keys_of(const c10::IValue& integers, const c10::IValue& texts) {
  std::vector<c10::IValue> keys;
  for (const int64_t key : integers.toIntVector()) keys.emplace_back(key);
  for (const c10::IValue& key : texts.toListRef()) keys.push_back(key);
  return keys;
}

}  // namespace

// The values by ascending key, or (with a width) each at the place that its key says.
c10::IValue map_cast(Arguments& x, const Context&) {
  std::map<int64_t, c10::IValue> sorted;
  for (const auto& entry : x[0].toGenericDict()) sorted.emplace(entry.key().toInt(), entry.value());
  std::vector<std::optional<c10::IValue>> values;
  if (x[2].isNone()) {
    for (const auto& [key, value] : sorted) values.emplace_back(value);
    return row(values, x[1]);
  }
  const int64_t width = x[2].toInt();
  values.resize(static_cast<size_t>(width));
  for (const auto& [key, value] : sorted) {
    TORCH_CHECK(0 <= key && key < width, "keys: expected values from 0 to ", width - 1, ", got ",
                key);
    values[static_cast<size_t>(key)] = value;
  }
  return row(values, x[1]);
}

// The values of the keys listed.
c10::IValue map_vectorize(Arguments& x, const Context&) {
  const auto dictionary = x[0].toGenericDict();
  std::vector<std::optional<c10::IValue>> values;
  for (const c10::IValue& key : keys_of(x[1], x[2])) {
    const auto found = dictionary.find(key);
    values.push_back(found == dictionary.end() ? std::nullopt : std::optional(found->value()));
  }
  return row(values, x[3]);
}

// A map from label to element for each row; a vector is one row.
c10::IValue map_zip(Arguments& x, const Context&) {
  const std::vector<c10::IValue> keys = keys_of(x[1], x[2]);
  const at::Tensor rows =
      x[0].toTensor().dim() == 1 ? x[0].toTensor().unsqueeze(0) : x[0].toTensor();
  TORCH_CHECK(rows.dim() == 2 && rows.size(1) == static_cast<int64_t>(keys.size()), "expected ",
              keys.size(), " columns, got shape ", rows.sizes());
  std::vector<c10::IValue> maps;
  for (const at::Tensor& line : rows.unbind()) {
    c10::impl::GenericDict map(
        keys[0].isInt() ? c10::TypePtr(c10::IntType::get()) : c10::TypePtr(c10::StringType::get()),
        c10::AnyType::get());
    const std::vector<at::Tensor> elements = line.unbind();
    for (size_t i = 0; i < keys.size(); i++) map.insert_or_assign(keys[i], elements[i]);
    maps.emplace_back(map);
  }
  return sequence(std::move(maps));
}

}  // namespace onnx2fx::runtime::leaf
