// One spelling for what ONNX files spell in several ways.
#ifndef ONNX2FX_CORE_PREPARE_NORMALISE_HPP_
#define ONNX2FX_CORE_PREPARE_NORMALISE_HPP_

#include <onnx/onnx_pb.h>

namespace onnx2fx::prepare {

/// Everywhere in the model: domain "ai.onnx" becomes ""; dims "?", "" and below zero become unknown
/// (two "?" would be taken for one symbol); attributes without a type (IR 1) get the type of the
/// one field that they fill.
void normalise(onnx::ModelProto& model);

}  // namespace onnx2fx::prepare

#endif
