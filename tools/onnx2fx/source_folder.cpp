#include "tools/onnx2fx/source_folder.hpp"

#include <filesystem>

#include "core/api/write_package.hpp"
#include "tools/onnx2fx/by_python.hpp"

namespace onnx2fx::cli {

namespace fs = std::filesystem;

void check_source_folder(const write::PackageFolder& folder) {
  if (fs::exists(folder.path) && !fs::is_directory(folder.path))
    throw ConversionError(folder.shown.string(), "expected a folder or nothing, got a file",
                          {"choose another name, or remove it"});
}

bool write_source(const Conversion& c, const write::PackageFolder& folder, bool force) {
  const TemporaryFolder temporary;
  const fs::path package = temporary.path() / "package";
  write_package_to(c, package);
  return by_python(
      "--format source",
      "Python writes the source: pip install onnx-to-fx[torch] in the environment that "
      "is to do so",
      "source", {package, folder.path, folder.shown, force ? "force" : ""});
}

}  // namespace onnx2fx::cli
