// Bytes as a manifest; one that is accepted is asked what it says of some operators.
#include "core/plugin/manifest.hpp"
#include "tests/fuzz/document.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace onnx2fx;  // NOLINT(google-build-using-namespace)
  static fuzz::Document file("manifest.json");
  std::vector<Diagnostic> faults;
  try {
    const plugin::Manifest m = plugin::read_manifest(file.holding(data, size), "", faults);
    for (const char* op : {"Relu", "Loop", ""})
      for (const plugin::Selection& s : m.op_set.disabled) s.selects("", op, 17);
  } catch (const PluginError&) {  // no JSON, or it extends what is not there
  }
  format(faults);
  return 0;
}
