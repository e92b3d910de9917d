// Elements of constants, as numbers of the conversion.
#ifndef ONNX2FX_PLUGINS_LOWERING_LITERALS_HPP_
#define ONNX2FX_PLUGINS_LOWERING_LITERALS_HPP_

#include <onnx2fx/plugin.hpp>

namespace onnx2fx {

/// The one element of a constant tensor of floats or integers; nullopt if it is known only at run
/// time, or is not alone.
std::optional<Arg> literal(Node& n, Value v);

/// All elements of a constant tensor of int64 or int32.
std::optional<std::vector<int64_t>> constant_integers(Node& n, Value v);

}  // namespace onnx2fx

#endif
