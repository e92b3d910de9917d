// What a target of the FX program stands for, besides the dispatcher's operators: Python's operator
// module on numbers, torch.sym_*, control flow, and the leaves of the loader's runtime.
#ifndef ONNX2FX_CORE_RUNTIME_CALLABLES_HPP_
#define ONNX2FX_CORE_RUNTIME_CALLABLES_HPP_

#include <ATen/core/function_schema.h>

#include <string>

#include "core/runtime/plan.hpp"

namespace onnx2fx::runtime {

/// "operator::mul", "torch::sym_max": null when there is none.
Callable find_builtin(const std::string& target);
/// "higher_order::cond": null when there is none.
Callable find_control_flow(const std::string& target);

struct Leaf {
  const c10::FunctionSchema* schema = nullptr;
  Callable call;
};
/// "onnx2fx::loop": without a call when there is none.
Leaf find_leaf(const std::string& target);

/// A Python truth value: a bool, a number, or a tensor of one element.
bool is_true(const c10::IValue& value);

}  // namespace onnx2fx::runtime

#endif
