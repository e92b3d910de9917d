// Where the weights of a module come from.
#ifndef ONNX2FX_CORE_WEIGHTS_MODE_HPP_
#define ONNX2FX_CORE_WEIGHTS_MODE_HPP_

#include <cstdint>

namespace onnx2fx::weights {

enum class Mode : uint8_t {
  kReference,  ///< left in the model's own files
  kCopy,       ///< copied into the package
  kMeta,       ///< none: the module's parameters are on the meta device
  kRandom      ///< random numbers of the right shape
};

class Store;

}  // namespace onnx2fx::weights

#endif
