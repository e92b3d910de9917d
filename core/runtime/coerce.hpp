// Values between FX and the schemas of operators: names to enumerators, numbers and lists to the
// types that boxed kernels insist on.
#ifndef ONNX2FX_CORE_RUNTIME_COERCE_HPP_
#define ONNX2FX_CORE_RUNTIME_COERCE_HPP_

#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type.h>
#include <c10/core/ScalarType.h>

#include <optional>
#include <string>
#include <vector>

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::runtime {

/// "float32" to at::kFloat. Throws ConversionError.
at::ScalarType scalar_type(const std::string& name);
/// at::kFloat to "float32".
std::string dtype_name(at::ScalarType type);

/// Everything but nodes, programs, lists, Training and DeviceOf. Throws ConversionError.
c10::IValue literal(const fx::Argument& argument);

/// `value` as the schema's type wants it: a number where a Tensor is wanted, an int where a float,
/// a single int where an int[2], a generic list as a list of tensors. Throws c10::Error on what no
/// conversion fits.
c10::IValue coerce(c10::IValue value, const c10::TypePtr& type, std::optional<int32_t> list_size);

/// Elements of a list or tuple.
std::vector<c10::IValue> elements(const c10::IValue& value);
/// A list of anything (an ONNX sequence).
c10::IValue sequence(std::vector<c10::IValue> items);

}  // namespace onnx2fx::runtime

#endif
