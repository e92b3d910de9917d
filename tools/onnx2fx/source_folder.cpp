#include "tools/onnx2fx/source_folder.hpp"

#include <filesystem>

#include "tools/onnx2fx/by_python.hpp"

namespace onnx2fx::cli {

namespace fs = std::filesystem;

void check_source_folder(const write::PackageFolder& folder) {
  if (fs::exists(folder.path) && !fs::is_directory(folder.path))
    throw ConversionError(folder.shown.string(), "expected a folder or nothing, got a file",
                          {"choose another name, or remove it"});
}

bool write_source(const Conversion& c, const write::PackageFolder& folder, bool force) {
  return written_by_python(c, folder, force, "source", "source", "source");
}

}  // namespace onnx2fx::cli
