// The op families of this plugin; each is the table at the end of the file of its name. The
// operators are those of ONNX Runtime that optimised and quantised models contain.
#ifndef ONNX2FX_PLUGINS_COM_MICROSOFT_FAMILIES_HPP_
#define ONNX2FX_PLUGINS_COM_MICROSOFT_FAMILIES_HPP_

#include <onnx2fx/plugin.hpp>

extern const onnx2fx::Family kActivation, kAttention, kConv, kDynamicLstm, kGroupQueryAttention,
    kIntegerMatmul, kMatmul, kMatmulNbits, kNorm, kQlinear, kRotaryEmbedding, kTensor;

namespace contrib {
/// A row of this domain, which has but one version.
constexpr o2fx_op row(std::string_view type, o2fx_lower_fn f) {
  return onnx2fx::op(type, 1, f, 0, "com.microsoft");
}
constexpr o2fx_op row_to(std::string_view type, o2fx_lower_fn f, const char* target) {
  return onnx2fx::op_to(type, 1, f, target, 0, "com.microsoft");
}
}  // namespace contrib

#endif
