#include "tools/onnx2fx/installation.hpp"

#include <filesystem>

namespace onnx2fx::cli {

static std::string nearest(const char* folder) {
  std::error_code none;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", none);
  for (std::filesystem::path at = program.parent_path(); at.has_relative_path();
       at = at.parent_path())
    if (std::filesystem::is_directory(at / folder, none)) return at / folder;
  return {};
}

std::string builtin_plugin_directory() { return nearest("lib/onnx2fx/plugins.d"); }
std::string sdk_directory() { return nearest("share/onnx2fx"); }
std::string cmake_directory() { return nearest(ONNX2FX_LIBDIR "/cmake/onnx2fx"); }

}  // namespace onnx2fx::cli
