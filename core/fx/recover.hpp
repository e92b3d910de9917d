// Calls that an exporter took apart, one again. Runs on the module of a conversion before the
// passes.
#ifndef ONNX2FX_CORE_FX_RECOVER_HPP_
#define ONNX2FX_CORE_FX_RECOVER_HPP_

#include <functional>
#include <optional>

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::fx {

/// The number that all elements of a tensor of the module (by index) are, where it is a constant.
using ConstantNumbers = std::function<std::optional<double>(uint32_t tensor)>;

/// Arithmetic that a composite of the library (composites/*.pat) defines becomes the one call:
/// aten::gelu for x * 0.5 * (1 + erf(x / sqrt(2))). What it was made of is left dead. Where the
/// exporter says that its parts were several calls of the author's, it stays. Counts them in
/// Module::recovered.
void recover_composites(Module& module, const ConstantNumbers& numbers);

/// ONNX's TopK (since 11) gives equal values in the order of their indices, which torch.topk does
/// not promise: it is lowered as a stable sort and its first k. Where the exporter says that it was
/// the author's own torch.topk, it is that again.
void recover_topk(Module& module);

}  // namespace onnx2fx::fx

#endif
