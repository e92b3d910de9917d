// The names of the nn dialect's plain calls: torch.relu for torch.ops.aten.relu.default.
#ifndef ONNX2FX_CORE_FX_NN_DIALECT_HPP_
#define ONNX2FX_CORE_FX_NN_DIALECT_HPP_

#include <cstdint>
#include <span>
#include <string_view>

namespace onnx2fx::fx {

/// A row of nn_names.def.
struct NnName {
  std::string_view aten;
  std::string_view nn;  ///< "torch::relu", "torch.nn.functional::gelu", "operator::add"
  uint8_t max_args = 0;
};

/// Sorted by `aten`.
std::span<const NnName> nn_names();

}  // namespace onnx2fx::fx

#endif
