#include "plugins/com.microsoft/families.hpp"

ONNX2FX_PLUGIN_OF("onnx2fx.com-microsoft", "0.1.0", &kActivation, &kAttention, &kConv,
                  &kDynamicLstm, &kGroupQueryAttention, &kIntegerMatmul, &kMatmul, &kMatmulNbits,
                  &kNorm, &kQlinear, &kRotaryEmbedding, &kTensor)
