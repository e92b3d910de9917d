// Plain values to what programs compute with, and back.
#ifndef ONNX2FX_CORE_RUNTIME_HOST_VALUE_HPP_
#define ONNX2FX_CORE_RUNTIME_HOST_VALUE_HPP_

#include <ATen/core/ivalue.h>

#include "core/runtime/session.hpp"

namespace onnx2fx::runtime {

/// Copies. Throws ConversionError on bytes that do not fit the dims.
c10::IValue to_ivalue(const HostValue& value);
/// Copies. Throws ConversionError on what no ONNX value is (a capsule of someone else).
HostValue to_host(const c10::IValue& value);

}  // namespace onnx2fx::runtime

#endif
