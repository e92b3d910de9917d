// `onnx2fx inspect`: what a model is and what it costs, who would lower it, what is missing.
#ifndef ONNX2FX_TOOLS_ONNX2FX_INSPECT_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_INSPECT_HPP_

#include <iosfwd>
#include <string>
#include <vector>

#include "core/include/onnx2fx/convert.hpp"

namespace onnx2fx::cli {

/// Converts weightless and keeps going, then prints tables, or one JSON document. `sizes`: of
/// symbolic dims, see symbolic_sizes.hpp. Exit code 1 if something is missing.
int inspect_model(const std::string& model, Options options, const std::vector<std::string>& sizes,
                  bool json, std::ostream& out);

}  // namespace onnx2fx::cli

#endif
