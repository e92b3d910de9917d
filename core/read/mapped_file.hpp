// A file as read-only memory whose pages come in one by one, when they are touched.
#ifndef ONNX2FX_CORE_READ_MAPPED_FILE_HPP_
#define ONNX2FX_CORE_READ_MAPPED_FILE_HPP_

#include <memory>
#include <string>

#include "core/read/model_file.hpp"

namespace onnx2fx::read {

/// Maps a regular file. `where` opens the message if that fails. Throws ConversionError.
std::shared_ptr<ByteSource> map_file(const std::string& path, const std::string& where);

/// Maps an open descriptor and takes it over, also on failure. `path` is for messages and
/// ByteSource::path.
std::shared_ptr<ByteSource> map_descriptor(int fd, const std::string& path,
                                           const std::string& where);

/// Raises the process's soft limit of open files to its hard one; false: it is there already. A
/// mapped file stays open, and a model may have a file for each of its weights.
bool allow_more_files();

}  // namespace onnx2fx::read

#endif
