// Where a package goes.
#ifndef ONNX2FX_CORE_WRITE_PACKAGE_FOLDER_HPP_
#define ONNX2FX_CORE_WRITE_PACKAGE_FOLDER_HPP_

#include <concepts>
#include <filesystem>
#include <system_error>

namespace onnx2fx::write {

/// A relative folder counts from where the process stands when this is made:
/// a plugin may have moved it by the time that the package is written.
struct PackageFolder {
  template <std::convertible_to<std::filesystem::path> Path>
  PackageFolder(const Path& folder)  // NOLINT(google-explicit-constructor)
      : shown(folder) {
    std::error_code error;  // without a current folder: nothing can be written there
    path = std::filesystem::absolute(shown, error).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
  }
  std::filesystem::path shown;  ///< in messages: as it was given
  std::filesystem::path path;   ///< absolute
};

}  // namespace onnx2fx::write

#endif
