// What the attention ops of this domain share: heads, masks that are added to the scores, and the
// product itself.
#ifndef ONNX2FX_PLUGINS_COM_MICROSOFT_ATTENTION_CORE_HPP_
#define ONNX2FX_PLUGINS_COM_MICROSOFT_ATTENTION_CORE_HPP_

#include <onnx2fx/plugin.hpp>

#include "plugins/lowering/attention.hpp"

namespace contrib {

/// Queries, keys and values of all heads, (N, heads, length, head size), before the past is added.
struct Attention : onnx2fx::attention::Heads {
  int64_t heads = 0;
  onnx2fx::Value past_k, past_v;
  onnx2fx::Value mask;  // which keys take part: lengths, or 0 and 1
  onnx2fx::Value bias;  // added to the scores
  bool causal = false;
  double masked = -10000;  // what a masked key's score is lowered by
  int32_t dtype = 0;
  onnx2fx::Int batch, queries, keys;  // keys: with those of the past
};

/// num_heads, unidirectional, mask_filter_value and scale.
void read_attributes(onnx2fx::Node& n, Attention& a);
/// Puts the past before k and v.
void add_past(onnx2fx::Node& n, Attention& a);
/// (N, L, heads * size of v). `scores`, where given, gets what the softmax is taken of.
onnx2fx::Value attend(onnx2fx::Node& n, const Attention& a, onnx2fx::Value* scores = nullptr);

}  // namespace contrib

#endif
