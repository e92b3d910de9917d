// Numbers that went through a float32 on their way into the file, as they were written: 1e-05,
// where the double of the float is 9.999999747378752e-06.
#ifndef ONNX2FX_CORE_FX_DECIMAL_HPP_
#define ONNX2FX_CORE_FX_DECIMAL_HPP_

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::fx {

/// The number of the fewest digits that is this float, as a float.
double decimal(float number);

/// Numbers of ATen calls on tensors of at most 32 bits, which read them as floats. Where a number
/// is reckoned with in double it stays as it is: in sizes (upsample's scales), and beside tensors
/// of doubles.
void write_decimals(Module& module);

}  // namespace onnx2fx::fx

#endif
