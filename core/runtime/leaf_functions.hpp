// The leaves, in a file for each family: one function for each row of core/fx/leaves.def. Each
// takes the arguments of its schema, defaults filled in.
#ifndef ONNX2FX_CORE_RUNTIME_LEAF_FUNCTIONS_HPP_
#define ONNX2FX_CORE_RUNTIME_LEAF_FUNCTIONS_HPP_

#include <vector>

#include "core/runtime/plan.hpp"

namespace onnx2fx::runtime::leaf {

using Arguments = std::vector<c10::IValue>;

#define LEAF(name, family, schema) c10::IValue name(Arguments& x, const Context& context);
#include "core/fx/leaves.def"

}  // namespace onnx2fx::runtime::leaf

#endif
