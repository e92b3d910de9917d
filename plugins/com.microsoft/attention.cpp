// Attention (which projects its input itself), QAttention (from quantized tensors) and
// MultiHeadAttention.
#include "plugins/com.microsoft/attention_core.hpp"
#include "plugins/com.microsoft/families.hpp"
#include "plugins/com.microsoft/quantization.hpp"

using namespace onnx2fx;
using namespace onnx2fx::attention;
using namespace contrib;

namespace {

void refuse_flag(Node& n, const char* attribute) {
  if (n.integer(attribute, 0) != 0)
    throw Unsupported("attribute '" + std::string(attribute) + "': expected 0");
}

// ---- Attention, QAttention: one projection makes queries, keys and values ----

// (2, N, heads, P, size): the keys, then the values.
void read_stacked_past(Node& n, Attention& a, Value past) {
  if (!past) return;
  a.past_k = n.call("aten::select.int", {past, 0, 0});
  a.past_v = n.call("aten::select.int", {past, 0, 1});
}

Ints projection_sizes(Node& n, Value weight) {
  const auto stated = n.has("qkv_hidden_sizes") ? n.integers("qkv_hidden_sizes", {0, 0, 0})
                                                : std::vector<int64_t>{};
  if (!stated.empty()) return Ints(stated.begin(), stated.end());
  return Ints(3, n.floordiv(n.dim(weight, 1), 3));
}

void split_projection(Node& n, Attention& a, Value projected, const Ints& sizes) {
  const Values parts = n.calls(3, "aten::split_with_sizes", {projected, sizes, -1});
  a.q = split_heads(n, parts[0], a.heads);
  a.k = split_heads(n, parts[1], a.heads);
  a.v = split_heads(n, parts[2], a.heads);
}

void finish_projected(Node& n, Attention& a) {
  add_past(n, a);
  n.output(attend(n, a));
  if (n.wanted(1)) n.output(n.call("aten::stack", {Values{a.k, a.v}}), 1);
}

void read_input(Node& n, Attention& a, Value x) {
  read_attributes(n, a);
  refuse_flag(n, "do_rotary");
  refuse_flag(n, "past_present_share_buffer");
  a.batch = n.dim(x, 0);
  a.queries = a.keys = n.dim(x, 1);
}

void lower_attention(Node& n) {
  Attention a;
  const Value x = n.input(0), weight = n.role(n.input(1), O2FX_ROLE_PARAMETER);
  const Value bias = n.maybe_input(2);
  if (n.maybe_input(6)) throw Unsupported("input 'past_sequence_length': expected none");
  n.ignore("rotary_embedding_dim");  // without do_rotary
  read_input(n, a, x);
  a.dtype = n.dtype(x);
  a.mask = n.maybe_input(3);
  a.bias = n.maybe_input(5);
  read_stacked_past(n, a, n.maybe_input(4));
  const Ints sizes = projection_sizes(n, weight);
  Value projected = n.call("aten::matmul", {x, weight});
  if (bias) projected = n.call("aten::add.Tensor", {projected, n.role(bias, O2FX_ROLE_PARAMETER)});
  split_projection(n, a, projected, sizes);
  finish_projected(n, a);
}

void q_attention(Node& n) {
  Attention a;
  const Value x = n.input(0), weight = n.role(n.input(1), O2FX_ROLE_BUFFER);
  const Value bias = n.role(n.input(2), O2FX_ROLE_PARAMETER);
  const Value x_scale = buffer(n, 3), weight_scale = buffer(n, 4);
  read_input(n, a, x);
  a.dtype = n.dtype(bias);
  a.mask = n.maybe_input(5);
  read_stacked_past(n, a, n.maybe_input(8));
  const Value product = exact_product(n, x, buffer(n, 6), weight, buffer(n, 7));
  const Value scale = n.call("aten::mul.Tensor", {x_scale, weight_scale});
  Value projected = n.call("aten::mul.Tensor", {n.cast(product, a.dtype), scale});
  projected = n.call("aten::add.Tensor", {projected, bias});
  const Ints sizes = Ints(3, n.floordiv(n.dim(weight, 1), 3));
  split_projection(n, a, projected, sizes);
  finish_projected(n, a);
}

// ---- MultiHeadAttention ----

// (N, L, heads, parts, size) as `parts` tensors (N, heads, L, size).
Values unpacked(Node& n, Value v, size_t parts) {
  Values r = n.calls(parts, "aten::unbind.int", {v, 3});
  for (Value& part : r) part = n.call("aten::transpose.int", {part, 1, 2});
  return r;
}

// The biases of queries, keys and values are one vector. The sizes of packed operands differ from
// what a plain one has, so it is split by heads.
void add_bias(Node& n, Attention& a, Value bias) {
  n.role(bias, O2FX_ROLE_PARAMETER);
  Ints sizes;
  Value* operands[] = {&a.q, &a.k, &a.v};
  for (Value* v : operands) sizes.push_back(n.mul(n.dim(*v, 3), a.heads));
  const Values parts = n.calls(3, "aten::split_with_sizes", {bias, sizes});
  for (size_t i = 0; i < 3; i++) {
    const Value part = n.call("aten::reshape", {parts[i], Ints{a.heads, 1, -1}});
    *operands[i] = n.call("aten::add.Tensor", {*operands[i], part});
  }
}

// Fills q, k and v.
void read_operands(Node& n, Attention& a, Value query, Value key, Value value) {
  a.batch = n.dim(query, 0);
  a.queries = a.keys = n.dim(query, 1);
  if (n.rank(query, 3) == 5) {
    const Values parts = unpacked(n, query, 3);
    a.q = parts[0], a.k = parts[1], a.v = parts[2];
    return;
  }
  a.q = split_heads(n, query, a.heads);
  if (!key) throw Invalid("input 'key': expected a value with a query of rank 3, got none");
  a.keys = n.dim(key, n.rank(key, 3) == 4 ? 2 : 1);
  if (n.rank(key) == 5) {
    const Values parts = unpacked(n, key, 2);
    a.k = parts[0], a.v = parts[1];
    return;
  }
  if (!value) throw Invalid("input 'value': expected a value, got none");
  const bool flat = n.rank(key) != 4;
  a.k = flat ? split_heads(n, key, a.heads) : key;
  a.v = flat ? split_heads(n, value, a.heads) : value;
}

void multi_head_attention(Node& n) {
  Attention a;
  read_attributes(n, a);
  const Value query = n.input(0), key = n.maybe_input(1), bias = n.maybe_input(3);
  if (n.maybe_input(8)) throw Unsupported("input 'past_sequence_length': expected none");
  if (n.maybe_input(9)) throw Unsupported("input 'cache_indirection': expected none");
  a.dtype = n.dtype(query);
  read_operands(n, a, query, key, n.maybe_input(2));
  if (bias && key && n.rank(key) == 4)
    throw Unsupported("input 'bias': expected none with a key of rank 4");
  if (bias) add_bias(n, a, bias);
  a.mask = n.maybe_input(4);
  a.bias = n.maybe_input(5);
  a.past_k = n.maybe_input(6), a.past_v = n.maybe_input(7);
  if (!a.past_k != !a.past_v)
    throw Invalid("inputs 'past_key' and 'past_value': expected both or none");
  add_past(n, a);
  Value scores;
  const Value y = attend(n, a, n.wanted(3) ? &scores : nullptr);
  n.output(y);
  if (n.wanted(1)) n.output(a.k, 1);
  if (n.wanted(2)) n.output(a.v, 2);
  if (n.wanted(3)) n.output(scores, 3);
}

constexpr o2fx_op kOps[] = {
    row("Attention", lower<lower_attention>),
    row("MultiHeadAttention", lower<multi_head_attention>),
    row("QAttention", lower<q_attention>),
};

}  // namespace

const Family kAttention = family(kOps);
