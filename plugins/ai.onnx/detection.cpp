// NonMaxSuppression: for all batches and classes at once, the best box left over is selected, and
// what it overlaps too much is gone, until nothing is left. A while_loop of as many steps as the
// class of most selected boxes needs.
#include <limits>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/real.hpp"
#include "plugins/lowering/scalar.hpp"

using namespace onnx2fx;

namespace {

// The corners and the area of boxes (..., 4), each (...).
struct Boxes {
  Value low_x, low_y, high_x, high_y, area;
};

Boxes corners(Node& n, Value boxes, bool centred) {
  const Values v = n.calls(4, "aten::unbind.int", {boxes, -1});
  const auto real = [&](size_t i) { return Real::as_is(n, v[i]); };
  const auto pick = [&](const char* target, size_t a, size_t b) {
    return real(a).call(target, {v[b]});
  };
  const Real low_x = centred ? real(0) - real(2) / 2.0 : pick("aten::minimum", 1, 3),
             high_x = centred ? real(0) + real(2) / 2.0 : pick("aten::maximum", 1, 3),
             low_y = centred ? real(1) - real(3) / 2.0 : pick("aten::minimum", 0, 2),
             high_y = centred ? real(1) + real(3) / 2.0 : pick("aten::maximum", 0, 2);
  const Real area = (high_x - low_x) * (high_y - low_y);
  return {low_x.tensor(), low_y.tensor(), high_x.tensor(), high_y.tensor(), area.tensor()};
}

// Whether a, of one box, overlaps each of b by more than the threshold.
Value overlaps(Node& n, const Boxes& a, const Boxes& b, Value threshold) {
  const auto side = [&](Value low_a, Value low_b, Value high_a, Value high_b) {
    const Value low = n.call("aten::maximum", {low_a, low_b}),
                high = n.call("aten::minimum", {high_a, high_b});
    return Real::as_is(n, n.call("aten::sub.Tensor", {high, low})).call("aten::clamp_min", {0});
  };
  const Real common =
      side(a.low_x, b.low_x, a.high_x, b.high_x) * side(a.low_y, b.low_y, a.high_y, b.high_y);
  const Real all = Real::as_is(n, a.area) + Real::as_is(n, b.area) - common;
  Value r = (common / all).call("aten::gt.Tensor", {threshold}).tensor();
  for (const Value& v : {common.tensor(), all.tensor(), a.area, b.area})
    r = n.call("aten::logical_and", {r, n.call("aten::gt.Scalar", {v, 0})});
  return r;
}

struct Suppression {
  Value boxes;      // (B, C, N, 4), the best first
  Value threshold;  // of overlap, a scalar
  Value limit;      // of boxes per class, a scalar
  Int count;        // N
  bool centred;
};

Info mask() { return Info::tensor(kBool, 3); }

// Of (N, C, B, 4), by (N, C, K, 1).
Value boxes_at(Node& n, Value boxes, Value index) {
  return n.call("aten::gather", {boxes, 2, n.call("aten::expand", {index, Ints{-1, -1, -1, 4}})});
}

Program more(Node& n, const Suppression& s) {
  n.begin("condition");
  const Value step = n.placeholder("step", Info::tensor(kInt64, 0)),
              alive = n.placeholder("alive", mask());
  n.placeholder("selected", mask());
  const Value within = n.call("aten::lt.Tensor", {step, s.limit});
  return n.end(n.call("aten::logical_and", {n.call("aten::any", {alive}), within}));
}

Program select_best(Node& n, const Suppression& s) {
  n.begin("body");
  const Value step = n.placeholder("step", Info::tensor(kInt64, 0)),
              alive = n.placeholder("alive", mask()), selected = n.placeholder("selected", mask());
  const Value places = arange(n, s.count, s.boxes);
  const Value best = n.call(
      "aten::amin", {n.call("aten::where.ScalarOther", {alive, places, s.count}), Ints{-1}, true});
  const Value is_best = n.call("aten::eq.Tensor", {places, best});  // nowhere if none is alive
  Value index = n.call("aten::clamp_max", {best, n.sub(s.count, 1)});
  index = n.call("aten::unsqueeze", {index, -1});
  const Value box = boxes_at(n, s.boxes, index);
  Value gone = overlaps(n, corners(n, box, s.centred), corners(n, s.boxes, s.centred), s.threshold);
  gone = n.call("aten::logical_or", {gone, is_best});
  const Value left = n.call("aten::logical_and", {alive, n.call("aten::logical_not", {gone})});
  return n.end(Values{n.call("aten::add.Scalar", {step, 1}), left,
                      n.call("aten::logical_or", {selected, is_best})});
}

// The mask of the selected ones among `alive`.
Value selected_of(Node& n, const Suppression& s, Value alive) {
  const Program condition = more(n, s), body = select_best(n, s);
  const Values state{n.constant<int64_t>("step", kInt64, {0}, {}), alive,
                     n.call("aten::zeros_like", {alive})};
  const Values captures = n.close({condition, body});
  return n.calls(3, "higher_order::while_loop", {condition, body, state, captures})[2];
}

Value scalar_or_zero(Node& n, Value v, int32_t dtype) {
  if (v) return as_scalar(n, v);
  return dtype == kInt64 ? n.constant<int64_t>("limit", kInt64, {0}, {})
                         : n.constant<float>("threshold", kFloat, {0}, {});
}

void non_max_suppression(Node& n) {
  const Value boxes = n.input(0), scores = n.input(1), least = n.maybe_input(4);
  const Int count = n.dim(scores, 2);
  const Values sorted = n.calls(2, "aten::sort.stable", {scores},
                                {{"stable", true}, {"dim", -1}, {"descending", true}});
  const Value order = sorted[1];
  Value index = n.call("aten::unsqueeze", {order, -1});
  const Value of_each_class = n.call(
      "aten::expand", {n.call("aten::unsqueeze", {boxes, 1}), Ints{-1, n.dim(scores, 1), -1, -1}});
  const Value best_first = boxes_at(n, of_each_class, index);
  const Value alive = least ? n.call("aten::gt.Tensor", {sorted[0], as_scalar(n, least)})
                            : n.call("aten::ones_like", {order}, {{"dtype", Dtype{kBool}}});
  const Suppression s{best_first, scalar_or_zero(n, n.maybe_input(3), kFloat),
                      scalar_or_zero(n, n.maybe_input(2), kInt64), count,
                      n.flag("center_point_box")};
  const Value selected = selected_of(n, s, alive);
  const Value at = n.call("aten::nonzero", {selected});
  const Value box = n.call("aten::index.Tensor", {order, n.calls(3, "aten::unbind.int", {at, 1})});
  n.output(n.call("aten::cat", {Values{n.call("aten::slice.Tensor", {at, 1, 0, 2}),
                                       n.call("aten::unsqueeze", {box, 1})},
                                1}));
}

constexpr o2fx_op kOps[] = {op("NonMaxSuppression", 10, lower<non_max_suppression>)};

}  // namespace

const Family kDetection = family(kOps);
