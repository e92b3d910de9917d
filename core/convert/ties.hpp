// Weights that the exporter stored twice become one again.
#ifndef ONNX2FX_CORE_CONVERT_TIES_HPP_
#define ONNX2FX_CORE_CONVERT_TIES_HPP_

#include "core/build/builder.hpp"
#include "core/build/tensors.hpp"
#include "core/convert/signature.hpp"
#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::conversion {

/// Finds a matrix that is another one transposed and reads it through aten::t instead. Either the
/// exporter's metadata names the other one as the operand of the call, or the other one is the
/// table of an embedding and this one the right operand of a product, as in models that predict
/// what they embed; and the bytes are equal. (Of bytes that are absent the metadata is believed.)
/// entries[i] made tensors[i]; the tensor that is read no more stays, dead.
void tie_transposed(fx::Module& module, const std::vector<TensorEntry*>& entries,
                    const Signature& signature, Tensors& tensors);

/// After name_folded_weights. Of a parameter whose .t() the exporter wrote anew for each call of
/// its module only the first is read; the bytes are equal, or absent. The others stay, dead.
void tie_copies(fx::Module& module, const std::vector<TensorEntry*>& entries, Tensors& tensors);

}  // namespace onnx2fx::conversion

#endif
