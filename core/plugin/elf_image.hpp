// What an ELF library says of itself, read from its bytes: nothing of it runs, and no offset in it
// is trusted.
#ifndef ONNX2FX_CORE_PLUGIN_ELF_IMAGE_HPP_
#define ONNX2FX_CORE_PLUGIN_ELF_IMAGE_HPP_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace onnx2fx::plugin {

struct ElfImage {
  std::vector<std::string> exports;    ///< defined global symbols
  std::vector<std::string> undefined;  ///< symbols it wants from other libraries
  std::vector<std::string> needed;     ///< DT_NEEDED, and the filters' libraries
  std::vector<std::string> run_paths;  ///< parts of DT_RPATH and DT_RUNPATH
  bool executable_stack = false;

  bool exported(const std::string& symbol) const;
};

/// Throws std::runtime_error whose text completes "LIBRARY: ": not an ELF file, another machine,
/// truncated...
ElfImage read_elf(std::span<const uint8_t> file);

/// What would have the loader take code from wherever the process stands: "run path 'lib': expected
/// an absolute one, or $ORIGIN".
std::vector<std::string> relative_paths(const ElfImage& image);

/// "linux-x86_64": the key of this host in a descriptor's `library`.
const char* platform();

}  // namespace onnx2fx::plugin

#endif
