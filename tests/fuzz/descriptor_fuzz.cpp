// Bytes as a descriptor.
#include "core/plugin/descriptor.hpp"
#include "tests/fuzz/document.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace onnx2fx;  // NOLINT(google-build-using-namespace)
  static fuzz::Document file("pack.onnx2fx.json");
  std::vector<Diagnostic> faults;
  try {
    const std::string& path = file.holding(data, size);
    plugin::read_descriptor(path, plugin::real_folder(path), faults);
  } catch (const PluginError&) {  // no JSON
  }
  format(faults);
  return 0;
}
