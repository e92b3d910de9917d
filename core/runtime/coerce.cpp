#include "core/runtime/coerce.hpp"

#include <ATen/ScalarOps.h>
#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/Layout.h>
#include <c10/core/MemoryFormat.h>

#include <array>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"

namespace onnx2fx::runtime {
namespace {

constexpr std::pair<const char*, at::ScalarType> kDtypes[] = {
#define O2FX_TORCH_DTYPE(torch, scalar_type, bytes, safetensors, components) \
  {#torch, at::ScalarType::scalar_type},
#include <onnx2fx/dtypes.def>
};

constexpr std::array<std::pair<const char*, c10::MemoryFormat>, 6> kMemoryFormats{{
    {"channels_last", c10::MemoryFormat::ChannelsLast},
    {"channels_last_3d", c10::MemoryFormat::ChannelsLast3d},
    {"contiguous", c10::MemoryFormat::Contiguous},
    {"contiguous_format", c10::MemoryFormat::Contiguous},
    {"preserve", c10::MemoryFormat::Preserve},
    {"preserve_format", c10::MemoryFormat::Preserve},
}};

int64_t memory_format(const std::string& name) {
  for (const auto& [text, format] : kMemoryFormats)
    if (name == text) return static_cast<int64_t>(format);
  throw ConversionError("", "memory format: expected one that torch knows, got '" + name + "'");
}

int64_t layout(const std::string& name) {
  if (name == "strided") return static_cast<int64_t>(c10::kStrided);
  throw ConversionError("", "layout: expected 'strided', got '" + name + "'");
}

// The number inside a tensor of one element; other values as they are.
c10::IValue number(c10::IValue value) {
  if (!value.isTensor()) return value;
  const at::Scalar scalar = value.toTensor().item();
  return c10::IValue(scalar);
}

c10::IValue to_int(c10::IValue value) {
  value = number(std::move(value));
  if (value.isBool()) return static_cast<int64_t>(value.toBool());
  TORCH_CHECK(value.isInt(), "expected an int, got ", value.tagKind());
  return value;
}

c10::IValue to_float(c10::IValue value) {
  value = number(std::move(value));
  if (value.isBool()) return static_cast<double>(value.toBool());
  if (value.isInt()) return static_cast<double>(value.toInt());
  TORCH_CHECK(value.isDouble(), "expected a float, got ", value.tagKind());
  return value;
}

c10::IValue to_bool(c10::IValue value) {
  value = number(std::move(value));
  if (value.isInt()) return value.toInt() != 0;
  TORCH_CHECK(value.isBool(), "expected a bool, got ", value.tagKind());
  return value;
}

c10::IValue to_tensor(c10::IValue value) {
  if (value.isTensor()) return value;
  if (value.isNone()) return at::Tensor();
  TORCH_CHECK(value.isScalar(), "expected a tensor, got ", value.tagKind());
  return at::native::wrapped_scalar_tensor(value.toScalar());
}

template <class T, class F>
c10::IValue list_of(std::vector<c10::IValue> items, F&& convert) {
  c10::List<T> list;
  list.reserve(items.size());
  for (c10::IValue& item : items) list.push_back(convert(std::move(item)));
  return list;
}

c10::IValue to_list(const c10::IValue& value, const c10::TypePtr& element,
                    std::optional<int32_t> size) {
  std::vector<c10::IValue> items;
  if (value.isList() || value.isTuple()) {
    items = elements(value);
  } else if (value.isTensor() && element->kind() == c10::TypeKind::TensorType) {
    items = {value};
  } else {
    TORCH_CHECK(size, "expected a list, got ", value.tagKind());
    items.assign(static_cast<size_t>(*size), value);
  }
  switch (element->kind()) {
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
      return list_of<int64_t>(std::move(items),
                              [](c10::IValue v) { return to_int(std::move(v)).toInt(); });
    case c10::TypeKind::FloatType:
      return list_of<double>(std::move(items),
                             [](c10::IValue v) { return to_float(std::move(v)).toDouble(); });
    case c10::TypeKind::BoolType:
      return list_of<bool>(std::move(items),
                           [](c10::IValue v) { return to_bool(std::move(v)).toBool(); });
    case c10::TypeKind::TensorType:
      return list_of<at::Tensor>(std::move(items),
                                 [](c10::IValue v) { return to_tensor(std::move(v)).toTensor(); });
    case c10::TypeKind::StringType:
      return list_of<std::string>(std::move(items),
                                  [](const c10::IValue& v) { return v.toStringRef(); });
    case c10::TypeKind::OptionalType:
      if (element->castRaw<c10::OptionalType>()->getElementType()->kind() ==
          c10::TypeKind::TensorType)
        return list_of<std::optional<at::Tensor>>(std::move(items), [](c10::IValue v) {
          return v.isNone() ? std::nullopt : std::optional(to_tensor(std::move(v)).toTensor());
        });
      break;
    default:
      break;
  }
  c10::impl::GenericList list(element);
  for (c10::IValue& item : items) list.push_back(coerce(std::move(item), element, std::nullopt));
  return list;
}

}  // namespace

at::ScalarType scalar_type(const std::string& name) {
  for (const auto& [text, type] : kDtypes)
    if (name == text) return type;
  throw ConversionError("", "dtype: expected one that torch knows, got '" + name + "'");
}

std::string dtype_name(at::ScalarType type) {
  for (const auto& [text, known] : kDtypes)
    if (type == known) return text;
  return c10::toString(type);
}

c10::IValue literal(const fx::Argument& argument) {
  if (argument.is_none()) return {};
  if (const bool* b = argument.as<bool>()) return *b;
  if (const int64_t* i = argument.as<int64_t>()) return *i;
  if (const double* d = argument.as<double>()) return *d;
  if (const std::string* s = argument.as<std::string>()) return *s;
  if (const auto* t = argument.as<fx::Dtype>()) return static_cast<int64_t>(scalar_type(t->name));
  if (const auto* d = argument.as<fx::Device>()) return c10::Device(d->name);
  if (const auto* l = argument.as<fx::Layout>()) return layout(l->name);
  if (const auto* m = argument.as<fx::MemoryFormat>()) return memory_format(m->name);
  throw ConversionError("", "argument: expected a literal, got a reference");
}

c10::IValue coerce(c10::IValue value, const c10::TypePtr& type, std::optional<int32_t> list_size) {
  switch (type->kind()) {
    case c10::TypeKind::OptionalType:
      if (value.isNone()) return value;
      return coerce(std::move(value), type->castRaw<c10::OptionalType>()->getElementType(),
                    list_size);
    case c10::TypeKind::TensorType:
      return to_tensor(std::move(value));
    case c10::TypeKind::NumberType:
      value = number(std::move(value));
      TORCH_CHECK(value.isScalar(), "expected a number, got ", value.tagKind());
      return value;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
      return to_int(std::move(value));
    case c10::TypeKind::FloatType:
      return to_float(std::move(value));
    case c10::TypeKind::BoolType:
      return to_bool(std::move(value));
    case c10::TypeKind::ListType:
      return to_list(value, type->castRaw<c10::ListType>()->getElementType(), list_size);
    default:
      return value;
  }
}

std::vector<c10::IValue> elements(const c10::IValue& value) {
  if (value.isTuple()) {
    const auto& items = value.toTupleRef().elements();
    return std::vector<c10::IValue>(items.begin(), items.end());
  }
  TORCH_CHECK(value.isList(), "expected a list, got ", value.tagKind());
  return value.toListRef().vec();
}

c10::IValue sequence(std::vector<c10::IValue> items) {
  c10::impl::GenericList list(c10::AnyType::get());
  list.reserve(items.size());
  for (c10::IValue& item : items) list.push_back(std::move(item));
  return list;
}

}  // namespace onnx2fx::runtime
