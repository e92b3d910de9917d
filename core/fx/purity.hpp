// What a graph of values cannot hold: calls that write to their arguments or act on the world.
#ifndef ONNX2FX_CORE_FX_PURITY_HPP_
#define ONNX2FX_CORE_FX_PURITY_HPP_

#include <string>

#include "core/fx/schema.hpp"

namespace onnx2fx::fx {

/// Why a program cannot hold such a call: "it writes to its argument 'self': expected
/// aten::add.Tensor"; "" if it can.
std::string impurity(const Schema& schema);

}  // namespace onnx2fx::fx

#endif
