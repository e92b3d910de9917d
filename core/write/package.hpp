// The FX package on disk: a folder, written whole or not at all.
#ifndef ONNX2FX_CORE_WRITE_PACKAGE_HPP_
#define ONNX2FX_CORE_WRITE_PACKAGE_HPP_

#include <string_view>

#include "core/include/onnx2fx/program.hpp"
#include "core/write/graph_json.hpp"
#include "core/write/package_folder.hpp"
#include "core/write/safetensors.hpp"

namespace onnx2fx::write {

/// Writes graph.json, weights.safetensors, `report` as report.json and the loader to `folder`,
/// whose parents are made. It is written beside and renamed at the end: on failure nothing is left
/// and what was there stays. An FX package that is there is replaced; any other file or folder that
/// is not empty is refused. Throws ConversionError.
void write_package(const fx::Module& module, Weights weights, const Bytes& bytes,
                   std::string_view report, const PackageFolder& folder);

/// Throws what write_package would of the folder: to call before the work.
void check_folder(const PackageFolder& folder);

}  // namespace onnx2fx::write

#endif
