// The verb `write_package`, for who has settled the folder before the conversion.
#ifndef ONNX2FX_CORE_API_WRITE_PACKAGE_HPP_
#define ONNX2FX_CORE_API_WRITE_PACKAGE_HPP_

#include "core/include/onnx2fx/convert.hpp"
#include "core/write/package_folder.hpp"

namespace onnx2fx {

void write_package_to(const Conversion& conversion, const write::PackageFolder& folder);

}  // namespace onnx2fx

#endif
