// A call into a library that the user gave, which may crash or end the process: the program around
// the runtime says what is to stand around it.
#ifndef ONNX2FX_CORE_RUNTIME_AROUND_LIBRARY_HPP_
#define ONNX2FX_CORE_RUNTIME_AROUND_LIBRARY_HPP_

#include <functional>

#include "core/runtime/session.hpp"

namespace onnx2fx::runtime {

/// For the process; null: nothing.
void set_around_library(AroundLibrary around);
/// Runs `call`, which throws nothing.
void in_library(const LibraryCall& what, const std::function<void()>& call);

}  // namespace onnx2fx::runtime

#endif
