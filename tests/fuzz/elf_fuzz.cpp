// Bytes as a plugin's library, before anything of it is mapped.
#include <stdexcept>

#include "core/plugin/elf_image.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    onnx2fx::plugin::read_elf({data, size}).exported("onnx2fx_plugin_entry_1");
  } catch (const std::runtime_error&) {  // how it refuses
  }
  return 0;
}
