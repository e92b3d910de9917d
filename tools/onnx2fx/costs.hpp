// What a forward pass in eval() costs: multiply-accumulates, and the memory of what is computed.
#ifndef ONNX2FX_TOOLS_ONNX2FX_COSTS_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_COSTS_HPP_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/include/onnx2fx/program.hpp"
#include "tools/onnx2fx/amounts.hpp"
#include "tools/onnx2fx/symbolic_sizes.hpp"

namespace onnx2fx::cli {

/// A call of a module or a function.
struct Call {
  uint32_t program;  ///< index into Module::programs
  uint32_t node;     ///< index into its nodes
  Amount macs;       ///< each time
  uint64_t times;    ///< it runs: that of the program around it
};

struct Costs {
  /// nullopt: a size must be given first, see SymbolicSizes::needed().
  Amount macs;
  /// Of all results together. What is a view takes no memory; a reshape is taken to be one.
  Amount activation_bytes;
  /// At most at one time: of the results that are still to be read, without the model's inputs.
  Amount peak_activation_bytes;
  /// In order of execution; those of a program that is called more than once stand where it is
  /// called first.
  std::vector<Call> calls;
  /// Name of a node, and why it is not in the sums, or not as often as it runs.
  std::vector<std::pair<std::string, std::string>> uncounted;
};

Costs costs_of(const fx::Module& module, SymbolicSizes& sizes);

/// The programs that a node runs: a block's own, or the operands of control flow.
std::vector<uint32_t> programs_of(const fx::Module& module, const fx::Node& node);

}  // namespace onnx2fx::cli

#endif
