// A result against its reference, by the rules of ONNX's own backend tests.
#ifndef ONNX2FX_CORE_RUNTIME_COMPARE_HPP_
#define ONNX2FX_CORE_RUNTIME_COMPARE_HPP_

#include <ATen/core/ivalue.h>

#include <string>

#include "core/runtime/session.hpp"

namespace onnx2fx::runtime {

/// Kinds, dtypes and shapes must be equal; numbers as close as |actual - expected| <= atol +
/// rtol * |expected|, nan equal to nan; strings equal. Tolerance::values false leaves the last two.
OutputCheck compare(std::string name, const c10::IValue& actual, const c10::IValue& expected,
                    const Tolerance& tolerance);

}  // namespace onnx2fx::runtime

#endif
