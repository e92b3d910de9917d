// `onnx2fx inspect`: what is in a model, what would be lowered by whom, what is missing.
#ifndef ONNX2FX_TOOLS_ONNX2FX_INSPECT_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_INSPECT_HPP_

#include <iosfwd>
#include <string>

#include "core/include/onnx2fx/convert.hpp"

namespace onnx2fx::cli {

/// Converts weightless and keeps going, then prints a table, or report.json. Exit code 1 if
/// something is missing.
int inspect_model(const std::string& model, Options options, bool json, std::ostream& out);

}  // namespace onnx2fx::cli

#endif
