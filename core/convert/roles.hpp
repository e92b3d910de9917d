// What each tensor is in the module: parameter, buffer or constant, and who says so.
#ifndef ONNX2FX_CORE_CONVERT_ROLES_HPP_
#define ONNX2FX_CORE_CONVERT_ROLES_HPP_

#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

#include "core/build/builder.hpp"
#include "core/build/tensors.hpp"
#include "core/convert/evidence.hpp"
#include "core/convert/signature.hpp"
#include "core/include/onnx2fx/options.hpp"
#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::conversion {

/// Of floats, as a parameter has.
bool is_trainable_dtype(int32_t onnx_dtype);

/// Letters, digits, "_" and "." alone, as names in a torch module are.
bool is_path(const std::string& name);

/// Sets role, requires_grad, role_because and named_by_author of the module's tensors; entries[i]
/// made tensors[i].
/// In this order: the user's globs; the exporter's graph signature and the way in which PyTorch's
/// older exporter stores constants; what lowerings claimed; evidence in the program; a default.
void assign_roles(fx::Module& module, const std::vector<TensorEntry*>& entries,
                  const onnx::ModelProto& model, const Signature& signature,
                  const Evidence& evidence, Tensors& tensors, const Options& options);

}  // namespace onnx2fx::conversion

#endif
