// A conversion as a .pt2 archive of torch.export, which the Python package writes.
#ifndef ONNX2FX_TOOLS_ONNX2FX_ARCHIVE_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_ARCHIVE_HPP_

#include "core/include/onnx2fx/convert.hpp"
#include "core/write/package_folder.hpp"

namespace onnx2fx::cli {

/// Throws ConversionError where no archive can be written: to call before the work.
void check_archive(const write::PackageFolder& file);

/// Hands the conversion, as a package in a temporary folder, to Python. The file is whole or as it
/// was. False: Python has told what is wrong. Throws ConversionError: there is no Python.
bool write_archive(const Conversion& conversion, const write::PackageFolder& file, bool force);

}  // namespace onnx2fx::cli

#endif
