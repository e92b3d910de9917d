// Recurrent layers: LSTM, GRU, RNN.
//
// The plain ones are ATen's own recurrent ops. ONNX orders the gates otherwise (iofc, zrh; ATen:
// ifco, rzh) and keeps both directions in one tensor, so that each matrix becomes a parameter of
// its own, or, if it is known only at run time, a rearrangement of slices. All others (other
// activations, peepholes, clip, lengths, GRU's reset before the product) run cell by cell.
#include "plugins/ai.onnx/recurrent.hpp"

#include <algorithm>

#include "plugins/ai.onnx/families.hpp"

using namespace onnx2fx;
using namespace recurrent;

namespace {

// ---- activations ----

Function activation_named(const std::string& name) {
  if (const Function* f = function_named(name)) return *f;
  throw Invalid("attribute 'activations': expected an activation of ONNX, got '" + name + "'");
}

// A list of alphas or betas has one entry for each function, or one for each that takes one.
void set_parameters(const std::vector<double>& values, std::vector<Function>& functions,
                    bool Function::*takes, double Function::*field) {
  size_t next = 0;
  for (size_t i = 0; i < functions.size(); i++) {
    if (!(functions[i].*takes)) continue;
    const size_t at = values.size() == functions.size() ? i : next++;
    if (at < values.size()) functions[i].*field = values[at];
  }
}

std::vector<Function> read_functions(Node& n, const std::vector<std::string>& defaults,
                                     size_t directions) {
  std::vector<std::string> names = n.texts("activations");
  if (names.empty())
    for (size_t d = 0; d < directions; d++)
      names.insert(names.end(), defaults.begin(), defaults.end());
  const size_t count = defaults.size() * directions;
  if (names.size() < count)
    throw Invalid("attribute 'activations': expected " + std::to_string(count) + " values, got " +
                  std::to_string(names.size()));
  std::vector<Function> functions;
  for (size_t i = 0; i < count; i++) functions.push_back(activation_named(names[i]));
  set_parameters(n.reals("activation_alpha"), functions, &Function::takes_alpha, &Function::alpha);
  set_parameters(n.reals("activation_beta"), functions, &Function::takes_beta, &Function::beta);
  return functions;
}

// ---- the node ----

void read_direction(Node& n, Layer& l) {
  const std::string direction = n.text("direction", "forward");
  if (direction == "bidirectional")
    l.directions = 2;
  else if (direction == "reverse")
    l.reverse = true;
  else if (direction != "forward" && direction != "foward")  // the default of GRU-1 is misspelt
    throw Invalid("attribute 'direction': expected forward, reverse or bidirectional, got '" +
                  direction + "'");
}

// Lengths that are all of the sequence say nothing.
Value read_lengths(Node& n, const Int& steps) {
  const Value v = n.maybe_input(4);
  if (!v || !steps.known()) return v;
  const auto all = n.maybe_literals(v);
  if (!all) return v;
  for (const int64_t length : *all)
    if (length != steps.literal()) return v;
  return {};
}

bool are_default(const Layer& l, const std::vector<std::string>& defaults) {
  for (size_t i = 0; i < l.functions.size(); i++) {
    const bool same = l.functions[i].name == activation_named(defaults[i % defaults.size()]).name;
    const bool relu =
        l.kind == kRnn && l.functions[i].name == "relu" && l.functions[0].name == "relu";
    if (!same && !relu) return false;
  }
  return l.kind != kRnn || l.functions.front().name == l.functions.back().name;
}

Layer read_layer(Node& n, Kind kind, const std::vector<std::string>& defaults) {
  Layer l;
  l.kind = kind;
  read_direction(n, l);
  l.batch_first = n.flag("layout", false);
  l.x = n.input(0), l.w = n.input(1), l.r = n.input(2), l.b = n.maybe_input(3);
  l.steps = n.dim(l.x, l.batch_first ? 1 : 0);
  l.batch = n.dim(l.x, l.batch_first ? 0 : 1);
  l.lengths = read_lengths(n, l.steps);
  l.h = n.maybe_input(5);
  const int64_t hidden = n.integer("hidden_size", 0);
  l.hidden = hidden ? Int(hidden) : n.dim(l.r, 2);
  l.functions = read_functions(n, defaults, l.directions);
  l.default_functions = are_default(l, defaults);
  if (n.has("clip")) l.clip = n.real("clip");
  n.ignore("output_sequence");  // of opset 1: the outputs that are asked for tell it
  for (const Value v : {l.w, l.r, l.b})
    if (v) n.role(v, O2FX_ROLE_PARAMETER);
  return l;
}

// ---- ATen's recurrent ops ----

// Which of ONNX's gates stands at each place of ATen's.
std::vector<size_t> gate_order(Kind kind) {
  if (kind == kLstm) return {0, 2, 3, 1};
  if (kind == kGru) return {1, 0, 2};
  return {0};
}

// One matrix, or bias vector, of W, R or B: direction first, then (for B) the half, then the gates.
struct Part {
  Value of;
  size_t direction, halves, half;
  const char* name;  // in torch
};

std::string parameter_name(const Part& part) {
  return std::string(part.name) + (part.direction == 1 ? "_l0_reverse" : "_l0");
}

// Nothing where they are computed of the model's tensors, which are what is trained.
std::optional<o2fx_bytes> bytes_of(Node& n, Value v) {
  if (!n.info(v).is_stored()) return std::nullopt;
  try {
    return n.constant_data(v);
  } catch (const Failed& e) {
    if (e.status != O2FX_E_IO) throw;
    return std::nullopt;  // weightless: rearranged where the weights are
  }
}

// A rearranged copy as a parameter of its own, which nn.LSTM can hold.
Value copied(Node& n, const Layer& l, const Part& part, const o2fx_bytes& b) {
  const auto order = gate_order(l.kind);
  const size_t whole = b.size / l.directions / part.halves, gate = whole / order.size();
  const char* from =
      static_cast<const char*>(b.data) + (part.direction * part.halves + part.half) * whole;
  std::vector<char> data;
  data.reserve(whole);
  for (const size_t g : order) data.insert(data.end(), from + g * gate, from + (g + 1) * gate);
  std::vector<int64_t> dims(b.dims + 1, b.dims + b.rank);
  dims[0] /= static_cast<int64_t>(part.halves);
  return n.constant(parameter_name(part), b.dtype, data, dims, O2FX_ROLE_PARAMETER);
}

Value sliced(Node& n, const Layer& l, const Part& part) {
  Value v = n.call("aten::select.int", {part.of, 0, static_cast<int64_t>(part.direction)});
  if (part.halves == 2) v = n.calls(2, "aten::chunk", {v, 2})[part.half];
  const auto order = gate_order(l.kind);
  if (order.size() == 1) return v;
  const Values gates =
      n.calls(order.size(), "aten::chunk", {v, static_cast<int64_t>(order.size())});
  Values ordered;
  for (const size_t g : order) ordered.push_back(gates[g]);
  return n.call("aten::cat", {ordered});
}

Values parameters(Node& n, const Layer& l) {
  Values all;
  for (size_t d = 0; d < l.directions; d++) {
    std::vector<Part> parts{{l.w, d, 1, 0, "weight_ih"}, {l.r, d, 1, 0, "weight_hh"}};
    if (l.b) parts.insert(parts.end(), {{l.b, d, 2, 0, "bias_ih"}, {l.b, d, 2, 1, "bias_hh"}});
    for (const Part& part : parts) {
      const auto bytes = bytes_of(n, part.of);
      all.push_back(bytes ? copied(n, l, part, *bytes) : sliced(n, l, part));
    }
  }
  return all;
}

void lower_plain(Node& n, const Layer& l) {
  const int64_t time = l.batch_first ? 1 : 0;
  const Value x = l.reverse ? n.call("aten::flip", {l.x, Ints{time}}) : l.x;
  const Value h = initial(n, l, l.h);
  Args args{x,   h,          parameters(n, l),  static_cast<bool>(l.b), 1,
            0.0, Training{}, l.directions == 2, l.batch_first};
  if (l.kind == kLstm) args[1] = Values{h, initial(n, l, l.c)};
  const char* target = l.kind == kLstm                      ? "aten::lstm.input"
                       : l.kind == kGru                     ? "aten::gru.input"
                       : l.functions.front().name == "relu" ? "aten::rnn_relu.input"
                                                            : "aten::rnn_tanh.input";
  const Values r = n.calls(l.kind == kLstm ? 3 : 2, target, args);
  Value y = l.reverse ? n.call("aten::flip", {r[0], Ints{time}}) : r[0];
  if (l.batch_first) y = n.call("aten::transpose.int", {y, 0, 1});
  y = n.call("aten::reshape",
             {y, Ints{l.steps, l.batch, static_cast<int64_t>(l.directions), l.hidden}});
  set_outputs(n, l, n.call("aten::transpose.int", {y, 1, 2}), Values(r.begin() + 1, r.end()));
}

void lower_layer(Node& n, const Layer& l) {
  n.annotate("recurrent", l.plain() ? "one ATen call" : "cell by cell: ATen has no such layer");
  l.plain() ? lower_plain(n, l) : lower_by_cells(n, l);
}

void lstm(Node& n) {
  Layer l = read_layer(n, kLstm, {"sigmoid", "tanh", "tanh"});
  l.c = n.maybe_input(6);
  l.peephole = n.maybe_input(7);
  if (l.peephole) n.role(l.peephole, O2FX_ROLE_PARAMETER);
  l.input_forget = n.flag("input_forget", false);
  lower_layer(n, l);
}

void gru(Node& n) {
  Layer l = read_layer(n, kGru, {"sigmoid", "tanh"});
  l.linear_before_reset = n.flag("linear_before_reset", false);
  lower_layer(n, l);
}

void rnn(Node& n) { lower_layer(n, read_layer(n, kRnn, {"tanh"})); }

constexpr o2fx_op kOps[] = {
    op("GRU", 1, lower<gru>),
    op("LSTM", 1, lower<lstm>),
    op("RNN", 1, lower<rnn>),
};

}  // namespace

Value recurrent::initial(Node& n, const Layer& l, Value given) {
  if (!given)
    return n.call("aten::new_zeros",
                  {l.x, Ints{static_cast<int64_t>(l.directions), l.batch, l.hidden}});
  return l.batch_first ? n.call("aten::transpose.int", {given, 0, 1}) : given;
}

void recurrent::set_outputs(Node& n, const Layer& l, Value y, const Values& last) {
  if (n.wanted(0)) n.output(l.batch_first ? n.call("aten::permute", {y, Ints{2, 0, 1, 3}}) : y);
  for (size_t i = 0; i < last.size(); i++)
    if (n.wanted(i + 1))
      n.output(l.batch_first ? n.call("aten::transpose.int", {last[i], 0, 1}) : last[i], i + 1);
}

const Family kRecurrent = family(kOps);
