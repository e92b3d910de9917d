#ifndef ONNX2FX_CORE_CONVERT_NUMBERS_HPP_
#define ONNX2FX_CORE_CONVERT_NUMBERS_HPP_

#include <vector>

#include "core/build/tensors.hpp"
#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::conversion {

/// The number that a constant is, or that all its elements are; None: it is no constant, a large
/// one, or its bytes are not there.
fx::Argument number_of(const fx::Tensor& tensor, TensorEntry& entry, Tensors& tensors);

/// Constants of one element that arithmetic reads beside a tensor become numbers of the graph, as a
/// person writes them and compilers like them. Their get_attr is left dead. `entries`: of the
/// tensors.
void write_numbers(fx::Module& module, const std::vector<TensorEntry*>& entries, Tensors& tensors);

}  // namespace onnx2fx::conversion

#endif
