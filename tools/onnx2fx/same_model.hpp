// Which model the package in a folder was made from.
#ifndef ONNX2FX_TOOLS_ONNX2FX_SAME_MODEL_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_SAME_MODEL_HPP_

#include "core/include/onnx2fx/convert.hpp"
#include "core/write/package_folder.hpp"

namespace onnx2fx::cli {

/// Throws ConversionError where the folder holds a package of another model than `conversion`'s:
/// one from a file of another name, or with other inputs or outputs. A package that does not say
/// what it was made from may be replaced.
void check_same_model(const Conversion& conversion, const write::PackageFolder& folder);

}  // namespace onnx2fx::cli

#endif
