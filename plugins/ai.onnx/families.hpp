// The op families of this plugin; each is the table at the end of the file of its name.
#ifndef ONNX2FX_PLUGINS_AI_ONNX_FAMILIES_HPP_
#define ONNX2FX_PLUGINS_AI_ONNX_FAMILIES_HPP_

#include <onnx2fx/plugin.hpp>

extern const onnx2fx::Family kActivation, kArithmetic, kAttention, kCast, kControlFlow, kConv,
    kCreation, kDetection, kDropout, kIndex, kLogical, kLoss, kMatmul, kNorm, kOptional, kPad,
    kPool, kQuant, kRandom, kRecurrent, kReduce, kResize, kRoi, kScatter, kSequence, kShape,
    kSignal, kStrings, kVision;

#endif
