// Shapes that the user gives to the model's inputs.
#ifndef ONNX2FX_CORE_PREPARE_INPUT_SHAPES_HPP_
#define ONNX2FX_CORE_PREPARE_INPUT_SHAPES_HPP_

#include <string>
#include <vector>

#include "core/read/model_file.hpp"

namespace onnx2fx::prepare {

/// Each of `given` is "NAME=DIM,DIM,...": extents as numbers, as names of symbols, "?" for as the
/// model says; nothing behind "=" is a scalar. Declared extents may be stated anew, not changed.
/// Throws ConversionError with all faults.
void give_shapes(read::ModelFile& file, const std::vector<std::string>& given);

}  // namespace onnx2fx::prepare

#endif
