#include "tools/onnx2fx/archive.hpp"

#include <filesystem>

#include "core/api/write_package.hpp"
#include "tools/onnx2fx/by_python.hpp"

namespace onnx2fx::cli {

namespace fs = std::filesystem;

void check_archive(const write::PackageFolder& file) {
  if (fs::is_directory(file.path))
    throw ConversionError(file.shown.string(), "expected a file or nothing, got a folder",
                          {"choose another name, or remove it"});
}

bool write_archive(const Conversion& c, const write::PackageFolder& file, bool force) {
  const TemporaryFolder folder;
  const fs::path package = folder.path() / "package";
  write_package_to(c, package);
  return by_python(
      "--format pt2",
      "Python writes the archive: pip install onnx-to-fx[torch] in the environment that "
      "is to do so",
      "archive", {package, file.path, file.shown, force ? "force" : ""});
}

}  // namespace onnx2fx::cli
