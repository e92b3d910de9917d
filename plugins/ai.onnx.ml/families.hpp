// The op families of this plugin; each is the table at the end of the file of its name.
#ifndef ONNX2FX_PLUGINS_AI_ONNX_ML_FAMILIES_HPP_
#define ONNX2FX_PLUGINS_AI_ONNX_ML_FAMILIES_HPP_

#include <onnx2fx/plugin.hpp>

namespace onnx2fx {
inline constexpr std::string_view kMl = "ai.onnx.ml";
}

extern const onnx2fx::Family kEncoders, kFeatures, kLinear, kMaps, kSvm, kTrees;

#endif
