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
  std::string model;  ///< where locations are relative to
  /// A symbolic link may lead into these, and a file in these may have other hard links. A location
  /// itself is never absolute and never has "..".
  std::vector<std::string> roots;
};

/// The roots as absolute paths. Throws ConversionError for one that is no folder.
std::vector<std::string> absolute_roots(const std::vector<std::string>& roots);

/// A location for a message: in quotes, control characters escaped.
std::string quoted(const std::string& location);

/// What is wrong with a location by its text alone (absolute, "..", NUL, empty); "" if nothing.
std::string location_fault(const std::string& location);

/// Maps a regular file that lies in the model's folder or in a root when all symbolic links are
/// resolved; what is mapped is the very file that was checked, whatever is renamed meanwhile. Null:
/// there is no such file. Throws ConversionError: it resolves outside, has several hard links, is
/// no regular file, or cannot be read.
std::shared_ptr<read::ByteSource> open_external(const std::string& location, const Folders& folders,
                                                const std::string& where);

}  // namespace onnx2fx::weights

#endif
