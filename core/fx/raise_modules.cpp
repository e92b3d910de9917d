// Which ATen calls become modules of torch.nn: one rule per class, one table at the foot. A rule
// answers nothing where the module would not compute exactly what the call does. The classes are in
// nn_modules.def.
#include <algorithm>
#include <cmath>

#include "core/fx/module_raiser.hpp"
#include "core/fx/passes.hpp"
#include "core/fx/paths.hpp"
#include "core/fx/scopes.hpp"

namespace onnx2fx::fx {
namespace {

using Result = std::optional<Raised>;
using Dims = std::vector<int64_t>;

List list(const Dims& values) { return List(values.begin(), values.end()); }

/// A parameter or buffer of exactly these dims, adopted under `attribute`.
bool adopt(const ModuleRaiser& r, Raised& m, const char* attribute, const Argument& a,
           const Dims& dims, Role role = Role::kParameter) {
  std::optional<Operand> o = r.stored(a, role);
  if (!o || o->dims != dims) return false;
  m.tensors.push_back({attribute, o->tensor});
  return true;
}

/// weight and bias together, or neither. nullopt: one of them, or no parameters.
std::optional<bool> adopt_affine(const ModuleRaiser& r, const Call& c, Raised& m,
                                 const Dims& dims) {
  if (c["weight"].is_none() && c["bias"].is_none()) return false;
  if (!adopt(r, m, "weight", c["weight"], dims) || !adopt(r, m, "bias", c["bias"], dims))
    return std::nullopt;
  return true;
}

/// Number of elements of a 1-D parameter or buffer; 0: it is none.
int64_t length(const ModuleRaiser& r, const Argument& a, Role role) {
  std::optional<Operand> o = r.stored(a, role);
  return o && o->dims.size() == 1 ? o->dims[0] : 0;
}

/// kConv2d for kConv1d and 2.
NnClass numbered(NnClass first, size_t rank) {
  return static_cast<NnClass>(static_cast<size_t>(first) + rank - 1);
}

// ---- Linear ----

/// A lone float counts as a constant of the graph until it turns out to be a bias.
bool adopt_bias(const ModuleRaiser& r, Raised& m, const Argument& a, int64_t out) {
  if (adopt(r, m, "bias", a, {out})) return true;
  const NodeRef* ref = a.as<NodeRef>();
  if (out != 1 || !ref || r.users(ref->index).size() != 1) return false;
  if (!adopt(r, m, "bias", a, {1}, Role::kConstant)) return false;
  m.promoted = m.tensors.back().tensor;
  return true;
}

/// The add of a bias that is the only reader of the matmul.
void merge_bias(const ModuleRaiser& r, const Call& c, Raised& m, int64_t out) {
  if (r.users(c.node).size() != 1) return;
  const Node& add = r.node(r.users(c.node)[0]);
  if (add.target != "aten::add.Tensor" || add.args.size() != 2 || !add.kwargs.empty()) return;
  for (int side : {0, 1}) {
    if (add.args[1 - side] == Argument(NodeRef{c.node}) && adopt_bias(r, m, add.args[side], out)) {
      m.result = r.users(c.node)[0];
      return;
    }
  }
}

/// `seen` is the right operand of a matmul ([in, out]), or, not `product`, the weight of a linear
/// ([out, in]).
Result linear(const ModuleRaiser& r, const Call& c, const Argument& input, const Argument& seen,
              bool product, const Argument& bias) {
  std::optional<Operand> w = r.parameter(seen);
  if (!w || w->reshaped || w->dims.size() != 2 || !input.as<NodeRef>()) return {};
  int64_t in = w->dims[product ? 0 : 1], out = w->dims[product ? 1 : 0];
  if (in == 0 || out == 0) return {};
  Raised m{NnClass::kLinear, {}, {{"weight", w->tensor, w->swapped != product}}, {input}, c.node};
  if (bias.is_none()) {
    merge_bias(r, c, m, out);
  } else if (!adopt_bias(r, m, bias, out)) {
    return {};
  }
  m.arguments = {{"in_features", in}, {"out_features", out}, {"bias", m.tensors.size() == 2}};
  return m;
}

Result raise_matmul(const ModuleRaiser& r, const Call& c) {
  return linear(r, c, c["self"], c["other"], true, {});
}
Result raise_mm(const ModuleRaiser& r, const Call& c) {
  return linear(r, c, c["self"], c["mat2"], true, {});
}
Result raise_addmm(const ModuleRaiser& r, const Call& c) {
  if (c.number("beta") != 1.0 || c.number("alpha") != 1.0 || c["self"].is_none()) return {};
  return linear(r, c, c["mat1"], c["mat2"], true, c["self"]);
}

// ---- Conv1D: GPT-2's nn.Linear, whose author holds the weight as [in, out] ----

/// Of the author's own names, and of that class where the exporter says it.
bool is_conv1d(const ModuleRaiser& r, const Raised& m) {
  if (m.tensors.size() != 2 || m.promoted || !m.tensors[0].transposed) return false;
  const Tensor &weight = r.tensor(m.tensors[0].tensor), &bias = r.tensor(m.tensors[1].tensor);
  if (!weight.named_by_author || !bias.named_by_author || last_part(weight.name) != "weight" ||
      bias.name != weight.name.substr(0, weight.name.size() - 6) + "bias")
    return false;
  const auto& onnx = r.node(m.result).onnx;
  const auto running = onnx ? frames(*onnx) : std::nullopt;
  if (!running || running->empty()) return true;
  return running->back().type == "Conv1D" || running->back().type == kUnknownClass;
}

bool is_reshape(const Node& n) {
  return (n.target == "aten::reshape" || n.target == "aten::view") && n.args.size() == 2;
}

bool are_before(uint32_t node, const List& values) {
  return std::ranges::all_of(values, [&](const Argument& a) {
    const NodeRef* r = a.as<NodeRef>();
    return !r || r->index < node;
  });
}

/// The module makes rows of its input before the product, and gives the result its shape again.
/// Where the exporter made one reshape of two, of which the author's own was the first, it stays.
void take_rows(const ModuleRaiser& r, const Call& c, Raised& m, int64_t in, int64_t out) {
  const uint32_t flat = c["input"].as<NodeRef>()->index;
  if (r.users(c.node).size() != 1 || !is_reshape(r.node(flat))) return;
  const uint32_t back = r.users(c.node)[0];
  const List* sizes = is_reshape(r.node(back)) ? r.node(back).args[1].as<List>() : nullptr;
  auto shape = r.node(back).type.shape;
  if (!sizes || sizes->empty() || sizes->back() != Argument(out) || !shape) return;
  shape->back() = std::to_string(in);
  if (r.shape(r.node(flat).args[0]) == shape) {
    m.inputs = {r.node(flat).args[0]};
  } else {
    if (r.users(flat).size() != 1 || !are_before(flat, *sizes)) return;
    m.rows = {flat, *sizes};
    m.rows->second.back() = in;
  }
  m.result = back;
}

Result raise_linear(const ModuleRaiser& r, const Call& c) {
  Result m = linear(r, c, c["input"], c["weight"], false, c["bias"]);
  if (!m || !is_conv1d(r, *m)) return m;
  const std::vector<int64_t>& dims = r.tensor(m->tensors[0].tensor).dims;
  m->type = NnClass::kConv1D;
  m->arguments = {{"nf", dims[1]}, {"nx", dims[0]}};
  m->tensors[0].transposed = false;
  take_rows(r, c, *m, dims[0], dims[1]);
  return m;
}

// ---- Conv, ConvTranspose ----

Result convolution(const ModuleRaiser& r, const Call& c, bool transposed) {
  std::optional<Operand> w = r.stored(c["weight"]);
  std::optional<int64_t> groups = c.integer("groups");
  if (!w || w->dims.size() < 3 || w->dims.size() > 5 || !groups || *groups < 1) return {};
  if (std::count(w->dims.begin(), w->dims.end(), 0)) return {};
  size_t rank = w->dims.size() - 2;
  int64_t in = transposed ? w->dims[0] : w->dims[1] * *groups;
  int64_t out = transposed ? w->dims[1] * *groups : w->dims[0];
  auto stride = c.integers("stride", rank), dilation = c.integers("dilation", rank);
  auto padding = c.integers("padding", rank);
  if (!stride || !dilation || (!padding && !c["padding"].as<std::string>())) return {};
  Raised m{numbered(transposed ? NnClass::kConvTranspose1d : NnClass::kConv1d, rank),
           {},
           {{"weight", w->tensor}},
           {c["input"]},
           c.node};
  bool bias = !c["bias"].is_none();
  if (bias && !adopt(r, m, "bias", c["bias"], {out})) return {};
  m.arguments = {{"in_channels", in},
                 {"out_channels", out},
                 {"kernel_size", list({w->dims.begin() + 2, w->dims.end()})},
                 {"stride", list(*stride)},
                 {"padding", padding ? Argument(list(*padding)) : c["padding"]}};
  if (transposed) {
    auto output_padding = c.integers("output_padding", rank);
    if (!output_padding) return {};
    m.arguments.push_back({"output_padding", list(*output_padding)});
  }
  m.arguments.push_back({"dilation", list(*dilation)});
  m.arguments.push_back({"groups", *groups});
  m.arguments.push_back({"bias", bias});
  return m;
}

Result raise_conv(const ModuleRaiser& r, const Call& c) { return convolution(r, c, false); }
Result raise_conv_transpose(const ModuleRaiser& r, const Call& c) {
  return convolution(r, c, true);
}
Result raise_convolution(const ModuleRaiser& r, const Call& c) {
  const bool* transposed = c["transposed"].as<bool>();
  return transposed ? convolution(r, c, *transposed) : Result();
}

// ---- normalizations ----

/// Both running statistics, updated in train() and used in eval(); or neither, and the batch's own
/// always.
bool adopt_statistics(const ModuleRaiser& r, const Call& c, Raised& m, int64_t features) {
  if (c["running_mean"].is_none() && c["running_var"].is_none())
    return c["training"] == Argument(true);
  return c.is_training("training") &&
         adopt(r, m, "running_mean", c["running_mean"], {features}, Role::kBuffer) &&
         adopt(r, m, "running_var", c["running_var"], {features}, Role::kBuffer);
}

Result raise_batch_norm(const ModuleRaiser& r, const Call& c) {
  auto shape = r.shape(c["input"]);
  auto momentum = c.number("momentum"), eps = c.number("eps");
  if (!shape || shape->size() < 2 || shape->size() > 5 || !momentum || !eps) return {};
  const bool tracks = !c["running_mean"].is_none();
  int64_t features = tracks ? length(r, c["running_mean"], Role::kBuffer)
                            : length(r, c["weight"], Role::kParameter);
  if (features == 0) return {};
  Raised m{numbered(NnClass::kBatchNorm1d, std::max<size_t>(shape->size() - 2, 1)),
           {},
           {},
           {c["input"]},
           c.node};
  std::optional<bool> affine = adopt_affine(r, c, m, {features});
  if (!affine || !adopt_statistics(r, c, m, features)) return {};
  m.arguments = {
      {"num_features", features}, {"eps", *eps}, {"momentum", *momentum}, {"affine", *affine}};
  if (!tracks) m.arguments.push_back({"track_running_stats", false});
  return m;
}

// nn.InstanceNorm refuses a single spatial element, the call does not.
Result raise_instance_norm(const ModuleRaiser& r, const Call& c) {
  auto shape = r.shape(c["input"]);
  auto momentum = c.number("momentum"), eps = c.number("eps");
  if (c["use_input_stats"] != Argument(true) || !c["running_mean"].is_none() ||
      !c["running_var"].is_none())
    return {};
  if (!shape || shape->size() < 3 || shape->size() > 5 || !momentum || !eps) return {};
  if (std::all_of(shape->begin() + 2, shape->end(), [](const std::string& d) { return d == "1"; }))
    return {};
  int64_t features = length(r, c["weight"], Role::kParameter);
  Raised m{numbered(NnClass::kInstanceNorm1d, shape->size() - 2), {}, {}, {c["input"]}, c.node};
  if (features == 0 || !adopt_affine(r, c, m, {features})) return {};
  m.arguments = {
      {"num_features", features}, {"eps", *eps}, {"momentum", *momentum}, {"affine", true}};
  return m;
}

Result raise_layer_norm(const ModuleRaiser& r, const Call& c) {
  auto shape = c.integers("normalized_shape");
  auto eps = c.number("eps");
  Raised m{NnClass::kLayerNorm, {}, {}, {c["input"]}, c.node};
  if (!shape || !eps || !adopt(r, m, "weight", c["weight"], *shape)) return {};
  bool bias = !c["bias"].is_none();
  if (bias && !adopt(r, m, "bias", c["bias"], *shape)) return {};
  m.arguments = {{"normalized_shape", list(*shape)}, {"eps", *eps}, {"bias", bias}};
  return m;
}

/// Weights that exporters store as [C, 1, 1], as they broadcast, are stored as [C] from now on.
bool adopt_channels(const ModuleRaiser& r, Raised& m, const char* attribute, const Argument& a,
                    int64_t channels) {
  const std::optional<Operand> o = r.parameter(a);
  if (!o || o->swapped || o->dims != Dims{channels}) return false;
  m.tensors.push_back({attribute, o->tensor});
  if (o->reshaped) m.reshaped.push_back(*o);
  return true;
}

Result raise_group_norm(const ModuleRaiser& r, const Call& c) {
  auto groups = c.integer("num_groups");
  auto eps = c.number("eps");
  const std::optional<Operand> weight = r.parameter(c["weight"]);
  const int64_t channels = weight && weight->dims.size() == 1 ? weight->dims[0] : 0;
  Raised m{NnClass::kGroupNorm, {}, {}, {c["input"]}, c.node};
  if (!groups || *groups < 1 || !eps || channels == 0 || channels % *groups ||
      !adopt_channels(r, m, "weight", c["weight"], channels) ||
      !adopt_channels(r, m, "bias", c["bias"], channels))
    return {};
  m.arguments = {{"num_groups", *groups}, {"num_channels", channels}, {"eps", *eps}};
  return m;
}

// ---- Embedding, Dropout, PReLU ----

Result raise_embedding(const ModuleRaiser& r, const Call& c) {
  std::optional<Operand> w = r.stored(c["weight"]);
  auto padding = c.integer("padding_idx");
  if (!w || w->dims.size() != 2 || !padding || *padding >= w->dims[0]) return {};
  if (!c["scale_grad_by_freq"].as<bool>() || !c["sparse"].as<bool>()) return {};
  Raised m{NnClass::kEmbedding, {}, {{"weight", w->tensor}}, {c["indices"]}, c.node};
  m.arguments = {{"num_embeddings", w->dims[0]},
                 {"embedding_dim", w->dims[1]},
                 {"padding_idx", *padding < 0 ? Argument() : Argument(*padding)},
                 {"scale_grad_by_freq", c["scale_grad_by_freq"]},
                 {"sparse", c["sparse"]}};
  return m;
}

Result raise_dropout(const ModuleRaiser&, const Call& c) {
  auto p = c.number("p");
  if (!c.is_training("train") || !p || *p < 0 || *p > 1) return {};
  return Raised{NnClass::kDropout, {{"p", *p}}, {}, {c["input"]}, c.node};
}

// Its second result is the mask; nn.Dropout has one result.
Result raise_native_dropout(const ModuleRaiser& r, const Call& c) {
  if (r.users(c.node).size() != 1) return {};
  uint32_t user = r.users(c.node)[0];
  if (r.node(user).target != "operator::getitem" || r.node(user).args[1] != Argument(int64_t{0}))
    return {};
  Result m = raise_dropout(r, c);
  if (m) m->result = user;
  return m;
}

/// Whether the slopes lie along axis 1 of the input, one for each channel.
bool is_per_channel(const Operand& slope, const std::optional<std::vector<std::string>>& shape) {
  size_t rank = shape ? shape->size() : 0, size = slope.dims.size();
  if (rank < 2 || size > rank || size + 1 < rank) return false;
  size_t channel = size + 1 - rank;
  for (size_t i = 0; i < size; ++i) {
    if (i != channel && slope.dims[i] != 1) return false;
  }
  return (*shape)[1] == std::to_string(slope.dims[channel]);
}

// The module's weight is 1-D. A slope stored as [C, 1, 1], the way ONNX broadcasts it, is stored as
// [C] from now on.
Result raise_prelu(const ModuleRaiser& r, const Call& c) {
  std::optional<Operand> w = r.parameter(c["weight"]);
  if (!w || w->swapped) return {};
  int64_t slopes = 1;
  for (int64_t d : w->dims) slopes *= d;
  if (slopes < 1) return {};
  if (c.schema->name == "aten::prelu" ? w->dims.size() != 1
                                      : slopes != 1 && !is_per_channel(*w, r.shape(c["self"]))) {
    return {};
  }
  Raised m{
      NnClass::kPReLU, {{"num_parameters", slopes}}, {{"weight", w->tensor}}, {c["self"]}, c.node};
  if (w->reshaped || w->dims.size() != 1) {
    w->dims = {slopes};
    m.reshaped.push_back(*w);
  }
  return m;
}

// ---- recurrent ----

/// Adopts params in torch's order: w_ih, w_hh, (b_ih, b_hh) for each layer and direction. Returns
/// {inputs, hidden}.
std::optional<std::pair<int64_t, int64_t>> adopt_recurrent(const ModuleRaiser& r, Raised& m,
                                                           const List& params, int64_t gates,
                                                           bool bias, int64_t layers,
                                                           int directions) {
  size_t per_cell = bias ? 4 : 2;
  if (params.size() < per_cell || params.size() != per_cell * layers * directions) return {};
  std::optional<Operand> first = r.stored(params[0]), hidden_weight = r.stored(params[1]);
  if (!first || !hidden_weight || first->dims.size() != 2 || hidden_weight->dims.size() != 2)
    return {};
  int64_t inputs = first->dims[1], hidden = hidden_weight->dims[1], rows = gates * hidden;
  if (inputs < 1 || hidden < 1) return {};
  size_t i = 0;
  for (int64_t layer = 0; layer < layers; ++layer) {
    for (int direction = 0; direction < directions; ++direction) {
      std::string end = "_l" + std::to_string(layer) + (direction ? "_reverse" : "");
      int64_t in = layer == 0 ? inputs : hidden * directions;
      if (!adopt(r, m, ("weight_ih" + end).c_str(), params[i++], {rows, in})) return {};
      if (!adopt(r, m, ("weight_hh" + end).c_str(), params[i++], {rows, hidden})) return {};
      if (bias && !adopt(r, m, ("bias_ih" + end).c_str(), params[i++], {rows})) return {};
      if (bias && !adopt(r, m, ("bias_hh" + end).c_str(), params[i++], {rows})) return {};
    }
  }
  return std::pair(inputs, hidden);
}

/// The results are read by getitem alone, with literal indices.
bool only_items(const ModuleRaiser& r, uint32_t node) {
  return std::all_of(r.users(node).begin(), r.users(node).end(), [&](uint32_t user) {
    const Node& n = r.node(user);
    return n.target == "operator::getitem" && n.args.size() == 2 && n.args[1].as<int64_t>() &&
           *n.args[1].as<int64_t>() >= 0;
  });
}

Result recurrent(const ModuleRaiser& r, const Call& c, NnClass type, int64_t gates) {
  const List* params = c["params"].as<List>();
  const bool *bias = c["has_biases"].as<bool>(), *both = c["bidirectional"].as<bool>();
  const bool* batch_first = c["batch_first"].as<bool>();
  auto layers = c.integer("num_layers");
  auto dropout = c.number("dropout");
  if (!params || !bias || !both || !batch_first || !layers || *layers < 1 || !dropout) return {};
  if (*dropout != 0 && !c.is_training("train")) return {};
  if (!only_items(r, c.node)) return {};
  Raised m{type, {}, {}, {c["input"], c["hx"]}, c.node};
  auto sizes = adopt_recurrent(r, m, *params, gates, *bias, *layers, *both ? 2 : 1);
  if (!sizes) return {};
  m.arguments = {{"input_size", sizes->first},  {"hidden_size", sizes->second},
                 {"num_layers", *layers},       {"bias", *bias},
                 {"batch_first", *batch_first}, {"dropout", *dropout},
                 {"bidirectional", *both}};
  return m;
}

Result raise_lstm(const ModuleRaiser& r, const Call& c) {
  Result m = recurrent(r, c, NnClass::kLSTM, 4);
  if (m) m->nested_state = true;
  return m;
}
Result raise_gru(const ModuleRaiser& r, const Call& c) { return recurrent(r, c, NnClass::kGRU, 3); }
Result raise_rnn(const ModuleRaiser& r, const Call& c) {
  Result m = recurrent(r, c, NnClass::kRNN, 1);
  if (m)
    m->arguments.push_back(
        {"nonlinearity", c.schema->name == "aten::rnn_relu.input" ? "relu" : "tanh"});
  return m;
}

/// Of one step: what the calls of whole layers are in a loop of the author's.
Result cell(const ModuleRaiser& r, const Call& c, NnClass type, int64_t gates) {
  const std::optional<Operand> in = r.stored(c["w_ih"]), state = r.stored(c["w_hh"]);
  if (!in || !state || in->dims.size() != 2 || state->dims.size() != 2) return {};
  const int64_t inputs = in->dims[1], hidden = state->dims[1], rows = gates * hidden;
  const bool bias = !c["b_ih"].is_none();
  Raised m{type, {}, {}, {c["input"], c["hx"]}, c.node};
  if (!adopt(r, m, "weight_ih", c["w_ih"], {rows, inputs}) ||
      !adopt(r, m, "weight_hh", c["w_hh"], {rows, hidden}))
    return {};
  if (bias &&
      (!adopt(r, m, "bias_ih", c["b_ih"], {rows}) || !adopt(r, m, "bias_hh", c["b_hh"], {rows})))
    return {};
  m.arguments = {{"input_size", inputs}, {"hidden_size", hidden}, {"bias", bias}};
  return m;
}
Result raise_gru_cell(const ModuleRaiser& r, const Call& c) {
  return cell(r, c, NnClass::kGRUCell, 3);
}
Result raise_lstm_cell(const ModuleRaiser& r, const Call& c) {
  return cell(r, c, NnClass::kLSTMCell, 4);
}

const std::map<std::string_view, ModuleRaiser::Rule>& rules() {
  static const std::map<std::string_view, ModuleRaiser::Rule> kRules = {
      {"aten::linear", raise_linear},
      {"aten::matmul", raise_matmul},
      {"aten::mm", raise_mm},
      {"aten::addmm", raise_addmm},
      {"aten::conv1d", raise_conv},
      {"aten::conv2d", raise_conv},
      {"aten::conv3d", raise_conv},
      {"aten::conv1d.padding", raise_conv},
      {"aten::conv2d.padding", raise_conv},
      {"aten::conv3d.padding", raise_conv},
      {"aten::conv_transpose1d", raise_conv_transpose},
      {"aten::conv_transpose2d.input", raise_conv_transpose},
      {"aten::conv_transpose3d.input", raise_conv_transpose},
      {"aten::convolution", raise_convolution},
      {"aten::batch_norm", raise_batch_norm},
      {"aten::instance_norm", raise_instance_norm},
      {"aten::layer_norm", raise_layer_norm},
      {"aten::group_norm", raise_group_norm},
      {"aten::embedding", raise_embedding},
      {"aten::dropout", raise_dropout},
      {"aten::native_dropout", raise_native_dropout},
      {"aten::prelu", raise_prelu},
      {"aten::_prelu_kernel", raise_prelu},
      {"aten::lstm.input", raise_lstm},
      {"aten::gru.input", raise_gru},
      {"aten::gru_cell", raise_gru_cell},
      {"aten::lstm_cell", raise_lstm_cell},
      {"aten::rnn_tanh.input", raise_rnn},
      {"aten::rnn_relu.input", raise_rnn},
  };
  return kRules;
}

}  // namespace

void raise_modules(Module& module) { ModuleRaiser(module, rules()).run(); }

}  // namespace onnx2fx::fx
