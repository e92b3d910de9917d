// Recurrent layers cell by cell, in arithmetic: all that ATen's recurrent ops lack.
#include "plugins/ai.onnx/recurrent.hpp"
#include "plugins/lowering/arange.hpp"

using namespace onnx2fx;
using namespace recurrent;

namespace {

constexpr int64_t kUnroll = 8;

// One direction. Values made in the constructor stand outside the loop, and so does every bias but
// the one of a GRU that resets what it added.
class Cell {
 public:
  Cell(Node& n, const Layer& l, size_t direction) : n_(n), l_(l), direction_(direction) {
    w_ = of_direction(l.w);
    const Value r = of_direction(l.r);
    if (l.b) {
      const Values halves = n.calls(2, "aten::chunk", {of_direction(l.b), 2});
      bias_ = halves[0], rb_ = halves[1];
      if (!resets_products()) bias_ = add(bias_, rb_);
    }
    if (l.peephole) p_ = n.calls(3, "aten::chunk", {of_direction(l.peephole), 3});
    if (resets_products())
      r_ = {r};
    else if (l.kind == kGru)
      for (const Value part : divided(r, 2, 0)) r_.push_back(n.call("aten::t", {part}));
    else
      r_ = {n.call("aten::t", {r})};
  }

  // What the inputs of all steps add to the gates.
  Value project(Value x) { return n_.call("aten::linear", {x, w_, bias_}); }

  // The next state (h, for an LSTM also c).
  Values step(const Values& state, Value in) {
    if (l_.kind == kLstm) return lstm(state[0], state[1], in);
    if (l_.kind == kGru) return {gru(state[0], in)};
    return {activate(0, added(in, state[0], r_[0]))};
  }

 private:
  Value of_direction(Value v) {
    return n_.call("aten::select.int", {v, 0, static_cast<int64_t>(direction_)});
  }
  Value add(Value a, Value b) { return n_.call("aten::add.Tensor", {a, b}); }
  Value mul(Value a, Value b) { return n_.call("aten::mul.Tensor", {a, b}); }
  Value added(Value to, Value h, Value weight) { return n_.call("aten::addmm", {to, h, weight}); }
  Values chunks(Value v, size_t k) {
    return n_.calls(k, "aten::chunk", {v, static_cast<int64_t>(k), -1});
  }
  // So many gates, and the last one, which has another activation.
  Values divided(Value v, int64_t gates, int64_t axis = -1) {
    const Ints sizes{n_.mul(l_.hidden, gates), l_.hidden};
    return n_.calls(2, "aten::split_with_sizes", {v, sizes, axis});
  }
  bool resets_products() const { return l_.kind == kGru && l_.linear_before_reset; }

  // clip bounds the gates; like other runtimes, not the cell's state on its way to h.
  Value activate(size_t function, Value v) {
    if (l_.clip && function < 2) v = n_.call("aten::clamp", {v, -*l_.clip, *l_.clip});
    const size_t each = l_.functions.size() / l_.directions;
    return apply(n_, l_.functions[direction_ * each + function], v);
  }
  Value peep(size_t gate, Value v, Value c) { return activate(0, add(v, mul(p_[gate], c))); }

  Values lstm(Value h, Value c, Value in) {  // gates i, o, f, c
    const Values g = divided(added(in, h, r_[0]), 3);
    const Values open = chunks(p_.empty() ? activate(0, g[0]) : g[0], 3);
    const Value i = p_.empty() ? open[0] : peep(0, open[0], c);
    const Value f = l_.input_forget ? n_.call("aten::rsub.Scalar", {i, 1})
                    : p_.empty()    ? open[2]
                                    : peep(2, open[2], c);
    const Value next = n_.call("aten::addcmul", {mul(f, c), i, activate(1, g[1])});
    const Value o = p_.empty() ? open[1] : peep(1, open[1], next);
    return {mul(o, activate(2, next)), next};
  }

  Value gru(Value h, Value in) {  // gates z, r, h
    const Values x = divided(in, 2);
    const auto zr = [&](Value v) { return chunks(activate(0, v), 2); };
    Values gates;
    Value candidate;
    if (resets_products()) {
      const Values y = divided(n_.call("aten::linear", {h, r_[0], rb_}), 2);
      gates = zr(add(x[0], y[0]));
      candidate = n_.call("aten::addcmul", {x[1], gates[1], y[1]});
    } else {
      gates = zr(added(x[0], h, r_[0]));
      candidate = added(x[1], mul(gates[1], h), r_[1]);
    }
    const Value fresh = activate(1, candidate);
    return n_.call("aten::addcmul", {fresh, gates[0], n_.call("aten::sub.Tensor", {h, fresh})});
  }

  Node& n_;
  const Layer& l_;
  size_t direction_;
  Value w_, bias_, rb_;
  Values r_, p_;
};

// With lengths: which (step, sample) exist, and where each step of the reversed sequences comes
// from.
struct Lengths {
  Value exists, reversed;  // (T, N, 1)
};

Lengths read_masks(Node& n, const Layer& l) {
  if (!l.lengths) return {};
  const Value lengths = n.call("aten::reshape", {n.cast(l.lengths, kInt64), Ints{1, -1, 1}});
  const Value t = places(n, l.steps, l.x, Ints{-1, 1, 1});
  const Value exists = n.call("aten::lt.Tensor", {t, lengths});
  const Value back = n.call("aten::sub.Tensor", {n.call("aten::sub.Scalar", {lengths, 1}), t});
  return {exists, n.call("aten::where.self", {exists, back, t})};
}

Value reverse(Node& n, const Lengths& s, Value v) {
  if (!s.exists) return n.call("aten::flip", {v, Ints{0}});
  const Value from = n.call("aten::expand", {s.reversed, Ints{-1, -1, n.dim(v, 2)}});
  return n.call("aten::gather", {v, 0, from});
}

// The next state, then y of this step. A sample that has ended keeps its state and gives 0.
Values masked_step(Node& n, Cell& cell, const Values& state, Value in, Value exists) {
  Values next = cell.step(state, in);
  if (!exists) {
    next.push_back(next[0]);
    return next;
  }
  const Value y = n.call("aten::where.ScalarOther", {exists, next[0], 0.0});
  for (size_t i = 0; i < next.size(); i++)
    next[i] = n.call("aten::where.self", {exists, next[i], state[i]});
  next.push_back(y);
  return next;
}

// The last state, then all y (T, N, H).
Values unrolled(Node& n, Cell& cell, Values state, Value in, Value exists, int64_t steps) {
  Values ys;
  for (int64_t t = 0; t < steps; t++) {
    const Value mask = exists ? n.call("aten::select.int", {exists, 0, t}) : Value{};
    state = masked_step(n, cell, state, n.call("aten::select.int", {in, 0, t}), mask);
    ys.push_back(state.back());
    state.pop_back();
  }
  state.push_back(n.call("aten::stack", {ys}));
  return state;
}

Values scanned(Node& n, Cell& cell, const Values& state, Value in, Value exists) {
  const int32_t dtype = n.dtype(n.input(0));
  n.begin("step");
  Values formals, slices{in};
  for (size_t i = 0; i < state.size(); i++)
    formals.push_back(n.placeholder("state", Info::tensor(dtype, 2)));
  const Value x = n.placeholder("x", Info::tensor(dtype, 2));
  const Value mask = exists ? n.placeholder("exists", Info::tensor(kBool, 2)) : Value{};
  Values next = masked_step(n, cell, formals, x, mask);
  if (!exists)
    next.back() = n.call("aten::clone", {next.back()});  // results of a scan must not alias
  const Program step = n.end(next);
  if (exists) slices.push_back(exists);
  const Values captures = n.close({step});
  return n.calls(next.size(), "higher_order::scan", {step, state, slices, captures});
}

}  // namespace

void recurrent::lower_by_cells(Node& n, const Layer& l) {
  const Value x = l.batch_first ? n.call("aten::transpose.int", {l.x, 0, 1}) : l.x;
  const Lengths lengths = read_masks(n, l);
  Values initials{initial(n, l, l.h)};
  if (l.kind == kLstm) initials.push_back(initial(n, l, l.c));
  Values ys;
  std::vector<Values> last(initials.size());
  const bool unroll = l.steps.known() && l.steps.literal() > 0 && l.steps.literal() <= kUnroll;
  for (size_t d = 0; d < l.directions; d++) {
    const bool backwards = l.reverse || d == 1;
    Cell cell(n, l, d);
    const Value in = cell.project(backwards ? reverse(n, lengths, x) : x);
    Values state;
    for (const Value v : initials)
      state.push_back(n.call("aten::select.int", {v, 0, static_cast<int64_t>(d)}));
    Values r = unroll ? unrolled(n, cell, state, in, lengths.exists, l.steps.literal())
                      : scanned(n, cell, state, in, lengths.exists);
    ys.push_back(backwards ? reverse(n, lengths, r.back()) : r.back());
    for (size_t i = 0; i < last.size(); i++) last[i].push_back(r[i]);
  }
  Values states;
  for (const Values& v : last) states.push_back(n.call("aten::stack", {v}));
  set_outputs(n, l, n.call("aten::stack", {ys, 1}), states);
}
