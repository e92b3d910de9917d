#include "plugins/com.microsoft/families.hpp"

ONNX2FX_PLUGIN_OF("onnx2fx.com-microsoft", ONNX2FX_VERSION, &kActivation, &kAttention, &kConv,
                  &kDynamicLstm, &kGroupQueryAttention, &kIntegerMatmul, &kMatmul, &kMatmulNbits,
                  &kNorm, &kQlinear, &kRotaryEmbedding, &kTensor)
