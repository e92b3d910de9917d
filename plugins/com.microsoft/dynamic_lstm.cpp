// DynamicQuantizeLSTM: an LSTM with 8-bit weights, whose input (all steps as one) and whose hidden
// state (at each step) are quantized by their own ranges. One step is arithmetic; the steps are
// unrolled if they are few, else a scan.
#include "plugins/com.microsoft/families.hpp"
#include "plugins/com.microsoft/quantization.hpp"

using namespace onnx2fx;
using namespace contrib;

namespace {

constexpr int64_t kUnroll = 8;
constexpr int64_t kExact =
    256;  // so many products of bytes float holds exactly: 256 * 255^2 < 2^24

struct Layer {
  size_t directions = 1;
  bool reverse = false, input_forget = false;
  std::optional<double> clip;
  Value x, w, r, b, peephole;
  Int steps, batch, hidden;
};

// One direction. All but step() stands outside the loop.
class Cell {
 public:
  Cell(Node& n, const Layer& l, int64_t direction) : n_(n), l_(l), direction_(direction) {
    w_ = weight(l.w, buffer(n, 9)), r_ = weight(l.r, buffer(n, 11));
    w_scale_ = of_direction(buffer(n, 8)), r_scale_ = of_direction(buffer(n, 10));
    if (l.b) {
      const Values halves = n.calls(2, "aten::chunk", {of_direction(l.b), 2});
      bias_ = add(halves[0], halves[1]);
    }
    if (l.peephole) p_ = n.calls(3, "aten::chunk", {of_direction(l.peephole), 3});
  }

  // What the inputs of all steps add to the gates.
  Value project(Value x) {
    const Value y = product(x, w_, w_scale_);
    return bias_ ? add(y, bias_) : y;
  }

  // Whether the loader knows this step by name: see Scan's cells in
  // core/write/loader/recurrence.py.
  bool plain() const { return p_.empty() && !l_.clip && !l_.input_forget; }

  // h and c
  Values step(const Values& state, Value in) {
    const Value c = state[1];
    const Values g = n_.calls(4, "aten::chunk", {add(in, product(state[0], r_, r_scale_)), 4, -1});
    const Value i = sigmoid(peep(0, g[0], c));
    const Value f =
        l_.input_forget ? n_.call("aten::rsub.Scalar", {i, 1}) : sigmoid(peep(2, g[2], c));
    const Value next = add(mul(f, c), mul(i, n_.call("aten::tanh", {clipped(g[3])})));
    const Value o = sigmoid(peep(1, g[1], next));
    return {mul(o, n_.call("aten::tanh", {next})), next};
  }

 private:
  Value of_direction(Value v) { return n_.call("aten::select.int", {v, 0, direction_}); }
  // Less its zero points, in parts whose products float holds exactly; of unknown size in double.
  Values weight(Value w, Value zero) {
    const Int rows = n_.dim(w, 1);
    const int32_t dtype = rows.known() ? kFloat : kDouble;
    Value v = number_in(n_, of_direction(w), dtype);
    if (zero) v = n_.call("aten::sub.Tensor", {v, number_in(n_, of_direction(zero), dtype)});
    return parts(v, rows.known() ? (rows.literal() + kExact - 1) / kExact : 1, 0);
  }
  Values parts(Value v, size_t count, int64_t axis) {
    return count > 1 ? n_.calls(count, "aten::split.Tensor", {v, kExact, axis}) : Values{v};
  }
  Value product(Value v, const Values& weight, Value scale) {
    const Dynamic q = dynamically_quantized(n_, v);
    // stated, whatever .double() or autocast make of it
    const Values x = parts(as(q.centred, n_.dtype(weight[0])), weight.size(), -1);
    Value sum;
    for (size_t i = 0; i < x.size(); i++) {
      const Value part = n_.call("aten::matmul", {x[i], weight[i]});
      sum = sum ? add(sum, part) : part;
    }
    return mul(as(sum, kFloat), mul(q.scale, scale));
  }
  Value as(Value v, int32_t dtype) { return n_.call("aten::to.dtype", {v, Dtype{dtype}}); }
  Value add(Value a, Value b) { return n_.call("aten::add.Tensor", {a, b}); }
  Value mul(Value a, Value b) { return n_.call("aten::mul.Tensor", {a, b}); }
  Value clipped(Value v) { return l_.clip ? n_.call("aten::clamp", {v, -*l_.clip, *l_.clip}) : v; }
  Value sigmoid(Value v) { return n_.call("aten::sigmoid", {clipped(v)}); }
  Value peep(size_t gate, Value v, Value c) { return p_.empty() ? v : add(v, mul(p_[gate], c)); }

  Node& n_;
  const Layer& l_;
  int64_t direction_;
  Values w_, r_, p_;
  Value w_scale_, r_scale_, bias_;
};

// The last state, then all h (T, N, H).
Values unrolled(Node& n, Cell& cell, Values state, Value in, int64_t steps) {
  Values ys;
  for (int64_t t = 0; t < steps; t++) {
    state = cell.step(state, n.call("aten::select.int", {in, 0, t}));
    ys.push_back(state[0]);
  }
  state.push_back(n.call("aten::stack", {ys}));
  return state;
}

Values scanned(Node& n, Cell& cell, const Values& state, Value in) {
  n.begin("step");
  const Values formals{n.placeholder("h", Info::tensor(kFloat, 2)),
                       n.placeholder("c", Info::tensor(kFloat, 2))};
  if (cell.plain()) n.meta(formals[0], "cell", "dynamic_quantize_lstm");
  Values next = cell.step(formals, n.placeholder("x", Info::tensor(kFloat, 2)));
  next.push_back(n.call("aten::clone", {next[0]}));  // results of a scan must not alias
  const Program step = n.end(next);
  const Values captures = n.close({step});
  return n.calls(3, "higher_order::scan", {step, state, Values{in}, captures});
}

void require_default_functions(Node& n, size_t directions) {
  static const char* const kDefault[] = {"Sigmoid", "Tanh", "Tanh"};
  const std::vector<std::string> names = n.texts("activations");
  for (size_t i = 0; i < names.size(); i++)
    if (names[i] != kDefault[i % 3] || names.size() != 3 * directions)
      throw Unsupported("attribute 'activations': expected Sigmoid, Tanh, Tanh");
  n.ignore("activation_alpha");  // the defaults have none
  n.ignore("activation_beta");
}

Layer read_layer(Node& n) {
  Layer l;
  const std::string direction = n.text("direction", "forward");
  l.directions = direction == "bidirectional" ? 2 : 1;
  l.reverse = direction == "reverse";
  require_default_functions(n, l.directions);
  if (n.maybe_input(4)) throw Unsupported("input 'sequence_lens': expected none");
  l.x = n.input(0);
  l.w = n.role(n.input(1), O2FX_ROLE_BUFFER), l.r = n.role(n.input(2), O2FX_ROLE_BUFFER);
  l.b = n.maybe_input(3), l.peephole = n.maybe_input(7);
  for (const Value v : {l.b, l.peephole})
    if (v) n.role(v, O2FX_ROLE_PARAMETER);
  l.steps = n.dim(l.x, 0), l.batch = n.dim(l.x, 1), l.hidden = n.dim(l.r, 1);
  n.ignore("hidden_size");  // the weight says it
  l.input_forget = n.flag("input_forget", false);
  if (n.has("clip")) l.clip = n.real("clip");
  return l;
}

// Last h, last c, and all h.
Values run_direction(Node& n, const Layer& l, size_t direction, const Values& initial) {
  const bool backwards = l.reverse || direction == 1;
  Cell cell(n, l, static_cast<int64_t>(direction));
  const auto flipped = [&](Value v) { return backwards ? n.call("aten::flip", {v, Ints{0}}) : v; };
  const Value in = cell.project(flipped(l.x));
  Values state;
  for (const Value v : initial)
    state.push_back(n.call("aten::select.int", {v, 0, static_cast<int64_t>(direction)}));
  const bool few = l.steps.known() && l.steps.literal() > 0 && l.steps.literal() <= kUnroll;
  Values r = few ? unrolled(n, cell, state, in, l.steps.literal()) : scanned(n, cell, state, in);
  r[2] = flipped(r[2]);
  return r;
}

void dynamic_quantize_lstm(Node& n) {
  const Layer l = read_layer(n);
  const Ints state{static_cast<int64_t>(l.directions), l.batch, l.hidden};
  Values initial;
  for (const size_t i : {5, 6}) {
    const Value given = n.maybe_input(i);
    initial.push_back(given ? given : n.call("aten::new_zeros", {l.x, state}));
  }
  std::vector<Values> parts(3);
  for (size_t d = 0; d < l.directions; d++) {
    const Values r = run_direction(n, l, d, initial);
    for (size_t i = 0; i < 3; i++) parts[i].push_back(r[i]);
  }
  if (n.wanted(0)) n.output(n.call("aten::stack", {parts[2], 1}));
  for (size_t i = 0; i < 2; i++)
    if (n.wanted(i + 1)) n.output(n.call("aten::stack", {parts[i]}), i + 1);
}

constexpr o2fx_op kOps[] = {row("DynamicQuantizeLSTM", lower<dynamic_quantize_lstm>)};

}  // namespace

const Family kDynamicLstm = family(kOps);
