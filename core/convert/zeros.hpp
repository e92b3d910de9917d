#ifndef ONNX2FX_CORE_CONVERT_ZEROS_HPP_
#define ONNX2FX_CORE_CONVERT_ZEROS_HPP_

#include <vector>

#include "core/build/tensors.hpp"
#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::conversion {

/// A bias that is zero, and no parameter, is none: exporters write one where the original module
/// had bias=False. `entries`: of the tensors, whose roles are known.
void drop_zero_biases(fx::Module& module, const std::vector<TensorEntry*>& entries,
                      Tensors& tensors);

/// Likewise the first states of recurrent modules, which begin with zeros by themselves.
void drop_zero_states(fx::Module& module, const std::vector<TensorEntry*>& entries,
                      Tensors& tensors);

}  // namespace onnx2fx::conversion

#endif
