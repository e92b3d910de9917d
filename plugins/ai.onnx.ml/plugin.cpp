#include "plugins/ai.onnx.ml/families.hpp"

ONNX2FX_PLUGIN_OF("onnx2fx.ai-onnx-ml", ONNX2FX_VERSION, &kEncoders, &kFeatures, &kLinear, &kMaps,
                  &kSvm, &kTrees)
