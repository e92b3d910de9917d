#include "tools/onnx2fx/archive.hpp"

#include <filesystem>

#include "tools/onnx2fx/by_python.hpp"

namespace onnx2fx::cli {

namespace fs = std::filesystem;

void check_archive(const write::PackageFolder& file) {
  if (fs::is_directory(file.path))
    throw ConversionError(file.shown.string(), "expected a file or nothing, got a folder",
                          {"choose another name, or remove it"});
}

bool write_archive(const Conversion& c, const write::PackageFolder& file, bool force) {
  return written_by_python(c, file, force, "pt2", "archive", "archive");
}

}  // namespace onnx2fx::cli
