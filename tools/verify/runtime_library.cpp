#include "tools/verify/runtime_library.hpp"

#include <dlfcn.h>

#include <filesystem>

#include "core/include/onnx2fx/diagnostic.hpp"

namespace onnx2fx::runtime {

std::string library_path(const std::string& builtin_plugin_directory) {
  const std::filesystem::path plugins(builtin_plugin_directory);
  return (plugins / ".." / "libonnx2fx_runtime.so").lexically_normal().string();
}

MakeSession* open_library(const std::string& path) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    throw ConversionError(
        path, std::string("LibTorch runtime: cannot load: ") + dlerror(),
        {"a wheel has none: build with ONNX2FX_BUILD_RUNTIME=ON, against the torch of this "
         "environment"});
  void* const entry = dlsym(library, kMakeSessionSymbol);
  if (!entry)
    throw ConversionError(
        path,
        std::string("LibTorch runtime: expected the entry '") + kMakeSessionSymbol + "', got none",
        {"onnx2fx and its runtime library must be of the same build"});
  return reinterpret_cast<MakeSession*>(entry);
}

}  // namespace onnx2fx::runtime
