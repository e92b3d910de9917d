// What a tensor is in the module: parameter, buffer or constant.
#ifndef ONNX2FX_CORE_CONVERT_ROLES_HPP_
#define ONNX2FX_CORE_CONVERT_ROLES_HPP_

#include "core/build/builder.hpp"
#include "core/fx/program.hpp"
#include "core/include/onnx2fx/options.hpp"

namespace onnx2fx::conversion {

/// Sets role and requires_grad: by the user's globs, else by what lowerings claimed, else by a
/// default.
void assign_role(fx::Tensor& tensor, const TensorEntry& entry, const Options& options);

}  // namespace onnx2fx::conversion

#endif
