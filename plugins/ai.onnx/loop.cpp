// Loop, in one of four forms:
//   unrolled    a few steps, their number known;
//   scan        a number of steps known before the first, carried tensors that keep their type;
//   while_loop  carried tensors that keep their type, no scan outputs;
//   leaf        everything else: what grows, sequences, scan outputs with a condition.
// Whether the body can stop the loop is no attribute: it is lowered with a constant true for the
// condition, and stops nothing if a constant true comes back.
#include <optional>
#include <string>

#include "plugins/ai.onnx/control_flow.hpp"
#include "plugins/lowering/scalar.hpp"
#include "plugins/lowering/types.hpp"

namespace onnx2fx::control_flow {
namespace {

constexpr int64_t kUnrolled = 8;
constexpr int64_t kUnrolledWithoutAlternative = 64;  // the other form would be a leaf

Values part(const Values& v, size_t from, size_t count) {
  return Values(v.begin() + static_cast<std::ptrdiff_t>(from),
                v.begin() + static_cast<std::ptrdiff_t>(from + count));
}

class Loop {
 public:
  explicit Loop(Node& n)
      : n_(n),
        body_(n.graph("body")),
        trips_(n.maybe_input(0)),
        condition_(n.maybe_input(1)),
        initial_(n.inputs(2)) {
    if (body_.n_inputs != initial_.size() + 2 || body_.n_outputs < initial_.size() + 1)
      throw Invalid("body: expected " + std::to_string(initial_.size() + 2) +
                    " inputs and at least " + std::to_string(initial_.size() + 1) +
                    " outputs, got " + std::to_string(body_.n_inputs) + " and " +
                    std::to_string(body_.n_outputs));
    scans_ = body_.n_outputs - 1 - initial_.size();
    if (trips_)
      if (const auto known = n.maybe_ints(trips_, O2FX_INTS_KNOWN_ONLY);
          known && known->size() == 1)
        count_ = known->front();
    starts_ = condition_ ? n.constant_bool(condition_) : std::optional(true);
    for (const Value v : initial_) {
      const Info i = n.info(v);
      tensors_ &= i.is_tensor() && i.raw.dtype != kString;
    }
  }

  void lower() {
    if (scans_ == 0 && (starts_ == false || (count_ && count_->known() && count_->arg.u.i <= 0))) {
      n_.annotate("form", "left out: it makes no step");
      return n_.outputs(initial_);
    }
    if (starts_ == true && count_ && tensors_) {
      if (try_counted()) return;
    } else if (starts_ == true && count_ && count_->known() &&
               try_unroll(kUnrolledWithoutAlternative)) {
      return;
    }
    if (tensors_ && scans_ == 0 && try_while_loop()) return;
    leaf();
  }

 private:
  // Body inputs: step, condition, carried...; results: condition, carried..., one slice per scan
  // output.
  Values run(Value step, Value alive, const Values& state) {
    Values in{step, alive};
    in.insert(in.end(), state.begin(), state.end());
    return n_.lower(body_, in);
  }
  // Bodies may declare the step and the condition as tensors of one element.
  bool in_a_list(size_t formal) { return n_.formal(body_, false, formal).raw.rank == 1; }
  Value declared(Value v, size_t formal) {
    return in_a_list(formal) ? n_.call("aten::reshape", {v, Ints{1}}) : v;
  }
  Value yes() {
    const std::vector<int64_t> dims(in_a_list(1) ? 1 : 0, 1);
    return n_.constant<char>("true", kBool, {1}, dims);
  }
  Value step_placeholder() { return declared(n_.placeholder("step", Info::tensor(kInt64, 0)), 0); }
  Values formals() {
    Values r;
    for (const Value v : initial_) r.push_back(n_.placeholder("state", n_.info(v)));
    return r;
  }
  bool keeps_types(const Values& state, const Values& results) {
    for (size_t k = 0; k < state.size(); k++)
      if (!same_tensors(n_.info(state[k]), n_.info(results[k + 1]))) return false;
    return true;
  }

  // The program (carried..., step, captures...) of scan.
  struct Counted {
    Program program;
    bool runs_through, keeps_types;
    std::vector<Type> types;  // of carried values, then of slices
  };
  Counted counted() {
    n_.begin("body");
    const Values state = formals();
    const Values r = run(step_placeholder(), yes(), state);
    Counted c{{}, n_.constant_bool(r[0]) == true, keeps_types(state, r), {}};
    for (size_t k = 1; k < r.size(); k++) c.types.emplace_back(n_.info(r[k]));
    c.program = n_.end(part(r, 1, r.size() - 1));
    return c;
  }
  bool try_counted() {
    const Counted c = counted();
    if (!c.runs_through) return false;
    const bool slices = std::all_of(c.types.begin(), c.types.end(), [](const Type& t) {
      return t.info().is_tensor() && t.raw().dtype != kString;
    });
    const bool fits = c.keeps_types && slices;
    if (count_->known() && try_unroll(fits ? kUnrolled : kUnrolledWithoutAlternative)) return true;
    // scan of no step raises, and a symbolic count may be 0: while_loop then, where there is a
    // choice
    if (!fits || (count_->known() && count_->arg.u.i <= 0) || (!scans_ && !count_->known()))
      return false;
    return try_scan(c);
  }

  // False if some step may end the loop: what was emitted is dead then, and dropped.
  bool try_unroll(int64_t limit) {
    const int64_t count = count_->arg.u.i;
    if (count > limit || count < (scans_ ? 1 : 0)) return false;
    Values state = initial_;
    std::vector<Values> slices(scans_);
    for (int64_t i = 0; i < count; i++) {
      const Values r = run(in_a_list(0) ? n_.int_tensor(Ints{i}) : n_.int_tensor(i), yes(), state);
      if (n_.constant_bool(r[0]) != true) return false;
      state = part(r, 1, initial_.size());
      for (size_t s = 0; s < scans_; s++) {
        if (n_.info(r[1 + initial_.size() + s]).raw.dtype == kString) return false;
        slices[s].push_back(r[1 + initial_.size() + s]);
      }
    }
    for (const Values& rows : slices) state.push_back(n_.call("aten::stack", {rows}));
    n_.annotate("form", "unrolled: " + std::to_string(count) + " steps");
    n_.outputs(state);
    return true;
  }

  bool try_scan(const Counted& c) {
    const Values captures = n_.close({c.program});
    if (!are_operands(n_, captures)) return false;
    n_.annotate(
        "form",
        count_->known()
            ? "scan: the number of steps is known before the first"
            : "scan: the number of steps is a size; what traces it holds for one step at least");
    Kwargs options{{"dtype", Dtype{kInt64}}};
    for (const Values& candidates : {initial_, captures}) {
      for (const Value v : candidates) {
        if (options.size() > 1 || !n_.info(v).is_tensor()) continue;
        options.push_back({"device", DeviceOf{v}});
      }
    }
    const Value steps = n_.call("aten::arange", {*count_}, options);
    const Values r =
        n_.calls(initial_.size() + scans_, "higher_order::scan",
                 {c.program, distinct(n_, initial_, captures), Values{steps}, captures});
    const int64_t rows = count_->known() ? count_->arg.u.i : -1;
    for (size_t k = 0; k < r.size(); k++)
      n_.state(r[k], (k < initial_.size() ? c.types[k].outside()
                                          : c.types[k].outside().with_axis(0, rows))
                         .info());
    n_.outputs(r);
    return true;
  }

  static bool has_gradient(const Info& i) {
    const int32_t d = i.is_tensor() ? i.raw.dtype : kUndefined;
    return d == kFloat || d == kDouble || d == kFloat16 || d == kBfloat16;
  }
  // torch 2.13 takes the gradients of while_loop for those operands alone that a carried value
  // depends on from the start. The sum of an empty slice (an exact zero, and no nan) of each float
  // operand, added to each float carried value, makes all of them depend on all.
  void anchor(Values& initial, const Values& captures) {
    const auto is_float = [&](Value v) { return has_gradient(n_.info(v)); };
    Values sources = captures;
    if (std::count_if(initial.begin(), initial.end(), is_float) > 1)
      sources.insert(sources.end(), initial.begin(), initial.end());
    Value zero;
    int32_t dtype = kUndefined;  // of all sources; -1: several
    for (const Value v : sources) {
      if (!is_float(v)) continue;
      dtype = !dtype || dtype == n_.dtype(v) ? n_.dtype(v) : -1;
      const Value flat = n_.call("aten::reshape", {v, Ints{-1}});
      const Value none = n_.call("aten::sum", {n_.call("aten::slice.Tensor", {flat, 0, 0, 0})});
      zero = zero ? n_.call("aten::add.Tensor", {zero, none}) : none;
    }
    for (Value& x : initial) {
      if (!zero || !is_float(x)) continue;
      const int32_t own = n_.dtype(x);
      const Value typed = dtype == own ? zero : n_.call("aten::to.dtype", {zero, Dtype{own}});
      x = n_.call("aten::add.Tensor", {x, typed});
    }
  }

  Program while_condition() {
    n_.begin("condition");
    const Value step = n_.placeholder("step", Info::tensor(kInt64, 0));
    const Value alive = n_.placeholder("alive", Info::tensor(kBool, 0));
    formals();
    Value go = alive;
    if (count_) {
      go = n_.call("aten::logical_and", {go, n_.call("aten::lt.Scalar", {step, *count_})});
    } else if (trips_) {
      const Value limit = as_scalar(n_, trips_);
      go = n_.call("aten::logical_and", {go, n_.call("aten::lt.Tensor", {step, limit})});
    }
    return n_.end(go);
  }
  // The program, if carried values keep their types.
  std::optional<Program> while_body(std::vector<Type>& types) {
    n_.begin("body");
    const Value step = n_.placeholder("step", Info::tensor(kInt64, 0));
    const Value alive = n_.placeholder("alive", Info::tensor(kBool, 0));
    const Values state = formals();
    const Values r = run(declared(step, 0), declared(alive, 1), state);
    const bool fits = keeps_types(state, r);
    Values results{n_.call("aten::add.Scalar", {step, 1}), as_scalar(n_, r[0])};
    results.insert(results.end(), r.begin() + 1, r.end());
    for (size_t k = 1; k < r.size(); k++) types.emplace_back(n_.info(r[k]));
    const Program body = n_.end(results);
    return fits ? std::optional(body) : std::nullopt;
  }
  // A scalar beside a tensor of the loop, so that it follows the module to its device.
  Value scalar(int64_t value, int32_t dtype) {
    const std::vector<int64_t> data{value};
    if (dtype == kBool) return n_.constant<char>("alive", kBool, {static_cast<char>(value)}, {});
    return n_.constant("step", dtype, data, {});
  }
  bool try_while_loop() {
    std::vector<Type> types;
    const Program condition = while_condition();
    const std::optional<Program> body = while_body(types);
    if (!body) return false;
    const Value alive = starts_ ? scalar(*starts_, kBool) : as_scalar(n_, condition_);
    Values initial{scalar(0, kInt64), alive};
    initial.insert(initial.end(), initial_.begin(), initial_.end());
    const Values captures = n_.close({condition, *body});
    if (!are_operands(n_, captures)) return false;
    initial = distinct(n_, initial, captures);
    anchor(initial, captures);
    n_.annotate("form",
                count_ ? "while_loop: the body may end the loop, or the number of steps may be 0"
                       : "while_loop: the number of steps is known only at run time");
    const Values r =
        n_.calls(initial.size(), "higher_order::while_loop", {condition, *body, initial, captures});
    Values results = part(r, 2, initial_.size());
    pass_by(results, r[0]);
    for (size_t k = 0; k < results.size(); k++) n_.state(results[k], types[k].outside().info());
    n_.outputs(results);
    return true;
  }
  // The gradient of while_loop is that of one step at least (torch 2.13): a loop of none is passed
  // by.
  void pass_by(Values& results, Value steps) {
    if (starts_ == true && count_ && count_->known() && count_->arg.u.i > 0) return;
    const Value some = n_.call("aten::gt.Scalar", {steps, 0});
    for (size_t k = 0; k < results.size(); k++)
      if (has_gradient(n_.info(initial_[k])))
        results[k] = n_.call("aten::where.self", {some, results[k], initial_[k]});
  }

  // What every step may give and take: the declared type, without extents, which may grow.
  Type carried(size_t k) {
    const Info declared = n_.formal(body_, false, k + 2), actual = n_.info(initial_[k]);
    if (declared.raw.kind == O2FX_KIND_UNKNOWN) return Type(actual).loosened();
    if (!declared.is_tensor()) return Type(declared);
    return Type(Info::tensor(declared.raw.dtype ? declared.raw.dtype : actual.raw.dtype,
                             declared.raw.rank));
  }
  void leaf() {
    n_.begin("body");
    const Value step = n_.placeholder("step", Info::tensor(kInt64, 0));
    const Value alive = n_.placeholder("alive", Info::tensor(kBool, 0));
    Values state;
    for (size_t k = 0; k < initial_.size(); k++)
      state.push_back(n_.placeholder("state", carried(k).info()));
    const Values results = run(declared(step, 0), declared(alive, 1), state);
    std::vector<Type> types;
    for (size_t k = 1; k < results.size(); k++) types.emplace_back(n_.info(results[k]));
    const Program body = n_.end(results);
    const Values captures = n_.close({body});
    n_.annotate("form", tensors_ && scans_ == 0 ? "leaf: carried values change their type"
                        : tensors_
                            ? "leaf: scan outputs and a number of steps known only at run time"
                            : "leaf: carried values are no tensors");
    const Values r =
        n_.calls(initial_.size() + scans_, "onnx2fx::loop",
                 {body, trips_, condition_, initial_, captures, static_cast<int64_t>(scans_)});
    for (size_t k = 0; k < r.size(); k++) state_result(r[k], k, types[k]);
    n_.outputs(r);
  }
  // No extent is certain after a number of steps; the element type is, and the rank of a slice.
  void state_result(Value v, size_t k, const Type& last) {
    if (last.raw().kind == O2FX_KIND_UNKNOWN) return;
    if (!last.info().is_tensor()) {
      n_.state(v, last.loosened().info());
    } else if (k < initial_.size()) {
      const int32_t before = n_.info(initial_[k]).raw.rank;
      n_.state(v, Info::tensor(last.raw().dtype, last.raw().rank == before ? before : -1));
    } else {
      n_.state(v, Info::tensor(last.raw().dtype, last.raw().rank < 0 ? -1 : last.raw().rank + 1));
    }
  }

  Node& n_;
  Graph body_;
  Value trips_, condition_;
  Values initial_;
  size_t scans_ = 0;
  std::optional<Int> count_;    // literal or symbolic, without reading data
  std::optional<bool> starts_;  // the condition before the first step, if constant
  bool tensors_ = true;         // all carried values are
};

}  // namespace

void loop(Node& n) { Loop(n).lower(); }

}  // namespace onnx2fx::control_flow
