// Parameters that the exporter's optimiser stored in another shape, or made constants of.
#ifndef ONNX2FX_CORE_CONVERT_FOLDED_VIEWS_HPP_
#define ONNX2FX_CORE_CONVERT_FOLDED_VIEWS_HPP_

#include <vector>

#include "core/build/builder.hpp"
#include "core/convert/evidence.hpp"
#include "core/convert/signature.hpp"
#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::conversion {

/// After assign_roles. Sets Tensor::transposed_of of the weights of products that the exporter
/// wrote for linear: the file holds the .t() of the parameter that the text of the call names. What
/// it wrote for an index into the first axes of a parameter reads that parameter.
void name_folded_weights(fx::Module& module, const std::vector<TensorEntry*>& entries,
                         const Signature& signature, const Evidence& evidence);

/// After assign_roles. A parameter that the file holds as a view of itself, [1, C, 1, 1] of [C],
/// has its own shape and path again, and the program the view. Only where the shape is certain: one
/// axis alone is not 1, or one that is was added.
void restore_shapes(fx::Module& module, const std::vector<TensorEntry*>& entries,
                    const Signature& signature);

/// A warning where constants were computed of parameters, which so do not train.
std::vector<Diagnostic> untrained_parameters(const fx::Module& module,
                                             const std::vector<TensorEntry*>& entries,
                                             const Signature& signature);

}  // namespace onnx2fx::conversion

#endif
