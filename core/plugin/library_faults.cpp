#include "core/plugin/library_faults.hpp"

#include <stdexcept>
#include <utility>

#include "core/plugin/elf_image.hpp"

namespace onnx2fx::plugin {

std::vector<Diagnostic> library_faults(std::span<const uint8_t> bytes, const std::string& path) {
  std::vector<Diagnostic> faults;
  try {
    for (std::string& what : relative_paths(read_elf(bytes)))
      faults.push_back({Severity::kError, path, std::move(what), {}});
  } catch (const std::runtime_error& e) {
    faults.push_back({Severity::kError, path, e.what(), {}});
  }
  return faults;
}

}  // namespace onnx2fx::plugin
