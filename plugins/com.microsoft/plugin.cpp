#include "plugins/com.microsoft/families.hpp"

ONNX2FX_ENTRY(
    concurrent(plugin_of<&kActivation, &kAttention, &kConv, &kDynamicLstm, &kGroupQueryAttention,
                         &kIntegerMatmul, &kMatmul, &kMatmulNbits, &kNorm, &kQlinear,
                         &kRotaryEmbedding, &kTensor>("onnx2fx.com-microsoft", ONNX2FX_VERSION)))
