// String tensors. Torch has none, so they travel through programs as capsules.
#ifndef ONNX2FX_CORE_RUNTIME_STRINGS_HPP_
#define ONNX2FX_CORE_RUNTIME_STRINGS_HPP_

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <string>
#include <vector>

namespace onnx2fx::runtime {

/// C order.
struct Strings : torch::CustomClassHolder {
  Strings(std::vector<int64_t> dims, std::vector<std::string> elements)
      : dims(std::move(dims)), elements(std::move(elements)) {}
  std::vector<int64_t> dims;
  std::vector<std::string> elements;
};

inline c10::IValue make_strings(std::vector<int64_t> dims, std::vector<std::string> elements) {
  return c10::IValue::make_capsule(
      c10::make_intrusive<Strings>(std::move(dims), std::move(elements)));
}
/// Null: not a string tensor.
inline const Strings* as_strings(const c10::IValue& value) {
  if (!value.isCapsule()) return nullptr;
  return dynamic_cast<const Strings*>(value.toCapsule().get());
}
/// Throws c10::Error.
inline const Strings& to_strings(const c10::IValue& value) {
  const Strings* strings = as_strings(value);
  TORCH_CHECK(strings, "expected a string tensor, got ", value.tagKind());
  return *strings;
}

}  // namespace onnx2fx::runtime

#endif
