// The argument MODEL: a path, or "-" for standard input.
#ifndef ONNX2FX_TOOLS_ONNX2FX_MODEL_ARGUMENT_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_MODEL_ARGUMENT_HPP_

#include <string>

#include "core/include/onnx2fx/convert.hpp"

namespace onnx2fx::cli {

inline bool is_standard_input(const std::string& model) { return model == "-"; }

/// External data of a model on standard input lies in the current folder. Throws ConversionError,
/// also where standard input is a terminal.
Conversion convert_argument(const std::string& model, const Options& options,
                            plugin::Registry* registry = nullptr);

}  // namespace onnx2fx::cli

#endif
