// Opens a model's external data: only files inside the model's folder, or inside folders that the
// user named.
#ifndef ONNX2FX_CORE_WEIGHTS_EXTERNAL_FILE_HPP_
#define ONNX2FX_CORE_WEIGHTS_EXTERNAL_FILE_HPP_

#include <memory>
#include <string>
#include <vector>

#include "core/read/model_file.hpp"

namespace onnx2fx::weights {

struct Folders {
  std::string model;               ///< where locations are relative to
  std::vector<std::string> roots;  ///< files may also resolve into these
};

/// A location for a message: in quotes, control characters escaped.
std::string quoted(const std::string& location);

/// What is wrong with a location by its text alone (absolute, "..", NUL, empty); "" if nothing.
std::string location_fault(const std::string& location);

/// Null: there is no such file. Throws ConversionError: it resolves outside, or cannot be read.
std::shared_ptr<read::ByteSource> open_external(const std::string& location, const Folders& folders,
                                                const std::string& where);

}  // namespace onnx2fx::weights

#endif
