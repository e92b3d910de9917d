#include "core/runtime/around_library.hpp"

#include <atomic>

namespace onnx2fx::runtime {

static std::atomic<AroundLibrary> around_library = nullptr;

void set_around_library(AroundLibrary around) { around_library = around; }

void in_library(const LibraryCall& what, const std::function<void()>& call) {
  if (const AroundLibrary around = around_library)
    around(what, call);
  else
    call();
}

}  // namespace onnx2fx::runtime
