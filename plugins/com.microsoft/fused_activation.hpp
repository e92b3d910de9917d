// The activation that FusedConv, FusedGemm and their kin apply to their result.
#ifndef ONNX2FX_PLUGINS_COM_MICROSOFT_FUSED_ACTIVATION_HPP_
#define ONNX2FX_PLUGINS_COM_MICROSOFT_FUSED_ACTIVATION_HPP_

#include <onnx2fx/plugin.hpp>
#include <string>
#include <vector>

namespace contrib {

/// The parameters that `name` has, in the order of ONNX: alpha, beta (Clip: min, max).
onnx2fx::Value activated(onnx2fx::Node& n, onnx2fx::Value x, const std::string& name,
                         const std::vector<double>& parameters);

}  // namespace contrib

#endif
