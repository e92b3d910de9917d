// Libraries that register torch operators of packs, or give reference functions.
#include <dlfcn.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/include/onnx2fx/module.hpp"
#include "core/plugin/library_faults.hpp"
#include "core/plugin/sha256.hpp"
#include "core/read/open_file.hpp"
#include "core/runtime/around_library.hpp"
#include "core/runtime/reference_library.hpp"

namespace onnx2fx {
namespace {

std::string bytes_of(const std::string& path, const std::string& where) {
  try {
    return read::read_regular(path, SIZE_MAX);
  } catch (const std::runtime_error& e) {
    throw ConversionError(where, std::string("torch library: cannot be read: ") + e.what());
  }
}

const std::string kTorch =
    std::to_string(TORCH_VERSION_MAJOR) + "." + std::to_string(TORCH_VERSION_MINOR);

/// Whether this LibTorch is of that version, "2.10", or a later one.
bool is_at_least(const std::string& version) {
  int major = 0, minor = 0;
  return std::sscanf(version.c_str(), "%d.%d", &major, &minor) != 2 ||
         std::pair(TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR) >= std::pair(major, minor);
}

void require_needed(const std::string& shown, const std::string& sha256, const fx::Module& module) {
  for (const fx::TorchLibrary& l : module.torch_libraries) {
    if (std::filesystem::path(shown).filename() != l.file) continue;
    if (!l.sha256.empty() && l.sha256 != sha256)
      throw ConversionError(
          shown, "torch library: expected " + fx::described(l) + ", got one with sha256 " + sha256,
          {"give that one, or convert the model again with this pack"});
    if (!is_at_least(l.min_torch))
      throw ConversionError(
          shown, "torch library: expected torch " + l.min_torch + " or later, got " + kTorch);
  }
}

}  // namespace

void load_torch_library(const std::string& path, const fx::Module& module) {
  static std::mutex& mutex = *new std::mutex;
  static std::map<std::string, std::string>& loaded = *new std::map<std::string, std::string>;
  const std::lock_guard lock(mutex);
  std::error_code error;
  const std::string real = std::filesystem::weakly_canonical(path, error).string();
  const std::string file = bytes_of(real, path);
  const std::span bytes(reinterpret_cast<const uint8_t*>(file.data()), file.size());
  const std::string sha256 = plugin::sha256(bytes);
  require_needed(path, sha256, module);
  const auto known = loaded.find(real);
  if (known != loaded.end() && known->second != sha256)
    throw ConversionError(
        path, "torch library: expected the one that is loaded, got another, built since",
        {"end this process: LibTorch can neither forget nor replace an operator"});
  const bool is_loaded = std::any_of(loaded.begin(), loaded.end(),
                                     [&](const auto& one) { return one.second == sha256; });
  if (is_loaded) return;  // these very bytes, perhaps from another place
  if (auto faults = plugin::library_faults(bytes, path + ": torch library"); !faults.empty())
    throw ConversionError(std::move(faults));
  void* handle = nullptr;
  const std::string unknown;
  runtime::in_library({path, unknown, unknown, "while it was loaded"},
                      [&] { handle = dlopen(real.c_str(), RTLD_NOW | RTLD_LOCAL); });
  if (!handle)
    throw ConversionError(path, std::string("torch library: cannot be loaded: ") + dlerror());
  runtime::add_references(handle, path);
  loaded.emplace(real, sha256);
}

}  // namespace onnx2fx
