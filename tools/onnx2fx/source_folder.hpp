// A conversion as model.py and weights.safetensors, which the Python package writes.
#ifndef ONNX2FX_TOOLS_ONNX2FX_SOURCE_FOLDER_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_SOURCE_FOLDER_HPP_

#include "core/include/onnx2fx/convert.hpp"
#include "core/write/package_folder.hpp"

namespace onnx2fx::cli {

/// Throws ConversionError where no folder can be written: to call before the work.
void check_source_folder(const write::PackageFolder& folder);

/// Hands the conversion, as a package in a temporary folder, to Python. False: Python has told what
/// is wrong. Throws ConversionError: there is no Python.
bool write_source(const Conversion& conversion, const write::PackageFolder& folder, bool force);

}  // namespace onnx2fx::cli

#endif
