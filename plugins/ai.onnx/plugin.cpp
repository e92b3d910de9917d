#include "plugins/ai.onnx/families.hpp"

ONNX2FX_ENTRY(concurrent(
    plugin_of<&kActivation, &kArithmetic, &kAttention, &kCast, &kControlFlow, &kConv, &kCreation,
              &kDetection, &kDropout, &kIndex, &kLogical, &kLoss, &kMatmul, &kNorm, &kOptional,
              &kPad, &kPool, &kQuant, &kRandom, &kRecurrent, &kReduce, &kResize, &kRoi, &kScatter,
              &kSequence, &kShape, &kSignal, &kStrings, &kVision>("onnx2fx.ai-onnx",
                                                                  ONNX2FX_VERSION)))
