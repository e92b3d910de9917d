#include "plugins/ai.onnx.ml/families.hpp"

ONNX2FX_PLUGIN_OF("onnx2fx.ai-onnx-ml", "0.1.0", &kEncoders, &kFeatures, &kLinear, &kMaps, &kSvm,
                  &kTrees)
