// Valid models of shape arithmetic, control flow and functions. Twice converted, a model gives the
// same bytes.
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/bytes.hpp"
#include "tests/fuzz/converting.hpp"
#include "tests/fuzz/shape_program.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  onnx2fx::fuzz::Bytes bytes(data, size);
  const uint8_t flags = bytes.byte();
  const onnx::ModelProto model = onnx2fx::fuzz::shape_model(bytes);
  if (std::getenv("ONNX2FX_FUZZ_SHOW")) std::puts(model.DebugString().c_str());
  const std::string text = model.SerializeAsString();
  const std::string first = onnx2fx::fuzz::converted(text, flags);
  if (flags & 0x80 && onnx2fx::fuzz::converted(text, flags) != first) std::abort();
  return 0;
}
