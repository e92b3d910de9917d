#include "plugins/ai.onnx/families.hpp"

ONNX2FX_PLUGIN_OF("onnx2fx.ai-onnx", ONNX2FX_VERSION, &kActivation, &kArithmetic, &kAttention,
                  &kCast, &kControlFlow, &kConv, &kCreation, &kDetection, &kDropout, &kIndex,
                  &kLogical, &kLoss, &kMatmul, &kNorm, &kOptional, &kPad, &kPool, &kQuant, &kRandom,
                  &kRecurrent, &kReduce, &kResize, &kRoi, &kScatter, &kSequence, &kShape, &kSignal,
                  &kStrings, &kVision)
