// The names of the nn dialect's plain calls: torch.relu for torch.ops.aten.relu.default.
#ifndef ONNX2FX_CORE_FX_NN_DIALECT_HPP_
#define ONNX2FX_CORE_FX_NN_DIALECT_HPP_

#include <cstdint>
#include <span>
#include <string_view>

namespace onnx2fx::fx {

/// The two calls are the same for the first `max_args` arguments of the schema; more, or keywords,
/// keep the ATen name. 0: for all arguments, keywords too.
struct NnName {
  std::string_view aten;
  std::string_view nn;  ///< "torch::relu", "torch.nn.functional::gelu", "operator::add"
  uint8_t max_args = 0;
};

/// Sorted by `aten`. The loader's allow-list has every `nn` name.
std::span<const NnName> nn_names();

}  // namespace onnx2fx::fx

#endif
