// From the lowered graph to the module: ports, programs, tensors with their roles and bytes.
#ifndef ONNX2FX_CORE_CONVERT_MODULE_HPP_
#define ONNX2FX_CORE_CONVERT_MODULE_HPP_

#include <onnx/onnx_pb.h>

#include <vector>

#include "core/build/builder.hpp"
#include "core/build/tensors.hpp"
#include "core/include/onnx2fx/options.hpp"
#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::conversion {

/// The module of a lowered model, its tensors with their roles, tied, and still without bytes.
/// `outputs`: the values of its outputs. Ends the builder.
fx::Module make_module(const onnx::ModelProto& model, const std::vector<ValueId>& outputs,
                       Builder& builder, Tensors& tensors, const Options& options,
                       std::vector<Diagnostic>& warnings);

/// Of the nn dialect, after the passes (a constant may turn out to be a bias): constants that a
/// person would not write as tensors.
void simplify(fx::Module& module, Builder& builder, Tensors& tensors);

/// Has the bytes of the tensors that are left looked for.
void find_bytes(fx::Module& module, Builder& builder, Tensors& tensors, weights::Mode mode);

}  // namespace onnx2fx::conversion

#endif
