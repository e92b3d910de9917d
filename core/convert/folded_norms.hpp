// Weights that a normalization was folded into by the exporter's optimiser.
#ifndef ONNX2FX_CORE_CONVERT_FOLDED_NORMS_HPP_
#define ONNX2FX_CORE_CONVERT_FOLDED_NORMS_HPP_

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::conversion {

/// The file has them under the name of the author's weight, with other values and a bias beside:
/// "conv.weight" becomes "conv.Conv.weight", so that no state dict of the author's model fits by
/// name alone.
void rename_folded_norms(fx::Module& module);

}  // namespace onnx2fx::conversion

#endif
