// Bytes as a descriptor.
#include "core/plugin/descriptor.hpp"
#include "tests/fuzz/document.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace onnx2fx;  // NOLINT(google-build-using-namespace)
  static fuzz::Document file("pack.onnx2fx.json");
  std::vector<Diagnostic> faults;
  try {
    plugin::read_descriptor(file.holding(data, size), faults);
  } catch (const PluginError&) {  // no JSON
  }
  format(faults);
  return 0;
}
