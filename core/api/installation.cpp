#include "core/api/installation.hpp"

#include <dlfcn.h>

#include <filesystem>

namespace onnx2fx {

std::string plugins_beside_library() {
  Dl_info image{};
  std::error_code none;
  if (!dladdr(reinterpret_cast<void*>(&plugins_beside_library), &image) || !image.dli_fname)
    return {};
  const std::filesystem::path library = std::filesystem::canonical(image.dli_fname, none);
  const std::filesystem::path folder = library.parent_path() / "onnx2fx" / "plugins.d";
  return !none && std::filesystem::is_directory(folder, none) ? folder.string() : "";
}

}  // namespace onnx2fx
