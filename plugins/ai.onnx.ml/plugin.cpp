#include "plugins/ai.onnx.ml/families.hpp"

ONNX2FX_ENTRY(concurrent(plugin_of<&kEncoders, &kFeatures, &kLinear, &kMaps, &kSvm, &kTrees>(
    "onnx2fx.ai-onnx-ml", ONNX2FX_VERSION)))
