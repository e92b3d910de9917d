// A Module as text, for people, golden tests and diffs. One line for each node, and one for each
// module and tensor that the nodes mention:
//
//     root:
//       %x : float32[N, 3] = placeholder
//       %h : float32[N, 4] = call_module[fc](%x)
//       %y : float32[N, 4] = call_function[aten::elu](%h, 0.5)
//       return %y
//     modules:
//       fc = nn.Linear(in_features=3, out_features=4, bias=True): weight=fc.weight^T, bias=fc.bias
//     tensors:
//       fc.weight : float32[3, 4] = parameter 'onnx::MatMul_1'
//       fc.bias : float32[4] = parameter
#ifndef ONNX2FX_CORE_FX_PRINT_HPP_
#define ONNX2FX_CORE_FX_PRINT_HPP_

#include <string>

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::fx {

/// All that a module says but where its nodes come from (Node::onnx) and where its weights lie.
///
///   * A type is a dtype and dims, "?" where one is unknown; no dims: the rank is unknown.
///   * "^T": the module's tensor, or what get_attr reads, is the transposed view of the stored one.
///   * A tensor has its role, "frozen" if that is a parameter without gradient, its name if that is
///     not its path, "no data" if it is weightless, and its first elements if they lie in memory.
///   * "inputs" and "outputs" list those whose ONNX name is not their identifier.
///
/// Ends with a newline. Equal modules give equal texts.
std::string print_program(const Module& module);

}  // namespace onnx2fx::fx

#endif
