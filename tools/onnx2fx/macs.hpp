// Multiply-accumulates of a call, as torch.utils.flop_counter counts: half its flops. Matrix
// products, convolutions, attention and recurrent layers have them; all else is not counted.
#ifndef ONNX2FX_TOOLS_ONNX2FX_MACS_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_MACS_HPP_

#include <string>
#include <string_view>

#include "core/include/onnx2fx/program.hpp"
#include "tools/onnx2fx/amounts.hpp"
#include "tools/onnx2fx/symbolic_sizes.hpp"

namespace onnx2fx::cli {

/// "aten::linear" of "torch.nn.functional::linear" and of "aten::linear"; any other as it is.
std::string_view aten_name(std::string_view target);

/// Whether only a pack knows what the call computes.
bool is_foreign(std::string_view target);

/// Of one call; 0 of the calls of programs. nullopt: a size is not known.
Amount macs_of(const fx::Module& module, const fx::Program& program, const fx::Node& call,
               SymbolicSizes& sizes);

}  // namespace onnx2fx::cli

#endif
