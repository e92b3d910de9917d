#include "core/runtime/host_value.hpp"

#include <ATen/core/Dict.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scalar_tensor.h>

#include <cstring>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/runtime/coerce.hpp"
#include "core/runtime/strings.hpp"

namespace onnx2fx::runtime {
namespace {

at::Tensor to_tensor(const HostTensor& host) {
  at::Tensor tensor = at::empty(host.dims, at::TensorOptions().dtype(scalar_type(host.dtype)));
  if (tensor.nbytes() != host.bytes.size())
    throw ConversionError("", "tensor: expected " + std::to_string(tensor.nbytes()) +
                                  " bytes, got " + std::to_string(host.bytes.size()));
  if (!host.bytes.empty())
    std::memcpy(tensor.mutable_data_ptr(), host.bytes.data(), host.bytes.size());
  return tensor;
}

HostTensor from_tensor(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous();
  HostTensor host{dtype_name(plain.scalar_type()), plain.sizes().vec(), {}};
  host.bytes.assign(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes());
  return host;
}

c10::IValue to_dictionary(const HostMap& host) {
  const bool integers = host.keys.empty() || std::holds_alternative<int64_t>(host.keys[0]);
  c10::impl::GenericDict dictionary(
      integers ? c10::TypePtr(c10::IntType::get()) : c10::TypePtr(c10::StringType::get()),
      c10::AnyType::get());
  for (size_t i = 0; i < host.keys.size(); i++) {
    const c10::IValue key = std::visit([](const auto& k) { return c10::IValue(k); }, host.keys[i]);
    dictionary.insert(key, to_ivalue(host.values[i]));
  }
  return dictionary;
}

HostMap from_dictionary(const c10::IValue& value) {
  HostMap host;
  for (const auto& entry : value.toGenericDict()) {
    if (entry.key().isInt()) {
      host.keys.emplace_back(entry.key().toInt());
    } else {
      host.keys.emplace_back(entry.key().toStringRef());
    }
    host.values.push_back(to_host(entry.value()));
  }
  return host;
}

}  // namespace

c10::IValue to_ivalue(const HostValue& host) {
  if (const auto* tensor = std::get_if<HostTensor>(&host.value)) return to_tensor(*tensor);
  if (const auto* strings = std::get_if<HostStrings>(&host.value))
    return make_strings(strings->dims, strings->elements);
  if (const auto* map = std::get_if<HostMap>(&host.value)) return to_dictionary(*map);
  if (const auto* items = std::get_if<HostSequence>(&host.value)) {
    std::vector<c10::IValue> list;
    for (const HostValue& item : *items) list.push_back(to_ivalue(item));
    return sequence(std::move(list));
  }
  return {};
}

HostValue to_host(const c10::IValue& value) {
  if (value.isNone()) return {};
  if (value.isTensor()) return {from_tensor(value.toTensor())};
  if (value.isInt()) return {from_tensor(at::scalar_tensor(value.toInt(), at::kLong))};
  if (value.isBool()) return {from_tensor(at::scalar_tensor(value.toBool(), at::kBool))};
  if (value.isDouble()) return {from_tensor(at::scalar_tensor(value.toDouble(), at::kFloat))};
  if (value.isString()) return {HostStrings{{}, {value.toStringRef()}}};
  if (value.isGenericDict()) return {from_dictionary(value)};
  if (const Strings* strings = as_strings(value))
    return {HostStrings{strings->dims, strings->elements}};
  if (!value.isList() && !value.isTuple())
    throw ConversionError("", "value: expected one that ONNX has, got " + value.tagKind());
  HostSequence items;
  for (const c10::IValue& item : elements(value)) items.push_back(to_host(item));
  return {std::move(items)};
}

}  // namespace onnx2fx::runtime
