// Where modules stand, and under which names the tensors are that they hold.
#ifndef ONNX2FX_CORE_FX_MODULE_PATHS_HPP_
#define ONNX2FX_CORE_FX_MODULE_PATHS_HPP_

#include <vector>

#include "core/fx/module_raiser.hpp"

namespace onnx2fx::fx {

/// Adds the modules of `all` to `module`, each at its path in the author's model as far as it is
/// known, and gives every tensor its path. The module of each of `all`: equal ones are one.
std::vector<uint32_t> place_modules(Module& module, const ModuleRaiser& calls,
                                    const std::vector<Raised>& all);

}  // namespace onnx2fx::fx

#endif
