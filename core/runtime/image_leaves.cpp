#include <c10/util/Exception.h>

#include "core/runtime/leaf_functions.hpp"

namespace onnx2fx::runtime::leaf {

c10::IValue image_decoder(Arguments&, const Context&) {
  TORCH_CHECK(false, "images are decoded by the Python package only");
}

}  // namespace onnx2fx::runtime::leaf
