// Scan as the higher-order scan, which runs along axis 0, forwards: other axes and directions are
// moved there and back. Opset 8 has a batch axis and lengths: its samples are scanned one by one.
#include <string>

#include "plugins/ai.onnx/control_flow.hpp"
#include "plugins/lowering/types.hpp"

namespace onnx2fx::control_flow {
namespace {

struct Counts {
  size_t states, slices, outputs;
};
Counts counts(Node& n, Graph body, size_t first) {
  const size_t slices = static_cast<size_t>(n.integer("num_scan_inputs"));
  if (n.n_inputs() < first + slices || body.n_inputs != n.n_inputs() - first)
    throw Invalid("body: expected " + std::to_string(n.n_inputs() - first) + " inputs, got " +
                  std::to_string(body.n_inputs));
  const size_t states = n.n_inputs() - first - slices;
  if (body.n_outputs < states)
    throw Invalid("body: expected at least " + std::to_string(states) + " outputs, got " +
                  std::to_string(body.n_outputs));
  return {states, slices, body.n_outputs - states};
}

std::vector<int64_t> per_input(Node& n, const char* name, size_t count) {
  return n.integers(name, std::vector<int64_t>(count, 0));
}

// The final states, then the outputs stacked along axis 0. `slices` run along axis 0.
Values scan_forwards(Node& n, Graph body, const Values& state, const Values& slices) {
  n.begin("step");
  Values formals;
  for (const Value v : state) formals.push_back(n.placeholder("state", n.info(v)));
  for (const Value v : slices)
    formals.push_back(n.placeholder("slice", Type(n.info(v)).without_axis(0).info()));
  const Values results = n.lower(body, formals);
  std::vector<Type> types;
  for (const Value v : results) types.emplace_back(n.info(v));
  const Program step = n.end(results);
  const Values captures = n.close({step});
  Values operands = state;
  operands.insert(operands.end(), slices.begin(), slices.end());
  operands = distinct(n, operands, captures);
  const auto middle = operands.begin() + static_cast<std::ptrdiff_t>(state.size());
  Values r =
      n.calls(results.size(), "higher_order::scan",
              {step, Values(operands.begin(), middle), Values(middle, operands.end()), captures});
  for (size_t k = 0; k < r.size(); k++) {
    const Type t = types[k].outside();
    n.state(r[k], (k < state.size() ? t : t.with_axis(0, -1)).info());
  }
  return r;
}

}  // namespace

void scan_9(Node& n) {
  const Graph body = n.graph("body");
  const Counts c = counts(n, body, 0);
  const auto axes = per_input(n, "scan_input_axes", c.slices);
  const auto directions = per_input(n, "scan_input_directions", c.slices);
  const auto out_axes = per_input(n, "scan_output_axes", c.outputs);
  const auto out_directions = per_input(n, "scan_output_directions", c.outputs);
  Values state, slices;
  for (size_t i = 0; i < c.states; i++) state.push_back(n.input(i));
  for (size_t i = 0; i < c.slices; i++) {
    Value x = n.input(c.states + i);
    const Type slice = Type(n.info(x)).without_axis(axes[i]);
    if (axes[i]) x = n.call("aten::movedim.int", {x, axes[i], 0});
    if (directions[i]) x = n.call("aten::flip", {x, Ints{0}});
    slices.push_back(axes[i] || directions[i] ? n.state(x, slice.with_axis(0, -1).info()) : x);
  }
  n.annotate("form",
             "scan: the number of steps is an extent of the scan inputs; what traces it holds for "
             "one step at least");
  Values r = scan_forwards(n, body, state, slices);
  for (size_t i = 0; i < c.outputs; i++) {
    Value& y = r[c.states + i];
    if (out_directions[i]) y = n.call("aten::flip", {y, Ints{0}});
    if (out_axes[i]) y = n.call("aten::movedim.int", {y, 0, out_axes[i]});
  }
  n.outputs(r);
}

void scan_8(Node& n) {
  const Graph body = n.graph("body");
  const Counts c = counts(n, body, 1);
  const Value lengths = n.maybe_input(0);
  const auto directions = per_input(n, "directions", c.slices);
  const Values inputs = n.inputs(1);
  const int64_t batch = n.dim(inputs.back(), 0).literal("the batch size of a Scan of opset 8");
  const Int longest = n.dim(inputs.back(), 1);
  const Ints steps = lengths ? n.ints(lengths) : Ints{};
  std::vector<Values> samples(c.states + c.outputs);
  for (int64_t b = 0; b < batch; b++) {
    Values state, slices;
    for (size_t i = 0; i < inputs.size(); i++) {
      const Type sample = Type(n.info(inputs[i])).without_axis(0);
      Value x = n.call("aten::select.int", {inputs[i], 0, b});
      if (i >= c.states && lengths)
        x = n.call("aten::slice.Tensor", {x, 0, 0, steps[static_cast<size_t>(b)]});
      if (i >= c.states && directions[i - c.states]) x = n.call("aten::flip", {x, Ints{0}});
      const bool cut = i >= c.states && lengths;
      (i < c.states ? state : slices)
          .push_back(n.state(x, (cut ? sample.without_axis(0).with_axis(0, -1) : sample).info()));
    }
    Values r = scan_forwards(n, body, state, slices);
    for (size_t k = 0; k < r.size(); k++) {
      if (k >= c.states && lengths) {
        Ints pads(static_cast<size_t>(n.rank(r[k])) * 2, 0);
        pads.back() = n.sub(longest, steps[static_cast<size_t>(b)]);
        r[k] = n.call("aten::constant_pad_nd", {r[k], pads});
      }
      samples[k].push_back(r[k]);
    }
  }
  n.annotate("form", "scan: one for each of " + std::to_string(batch) + " samples");
  Values stacked;
  for (const Values& s : samples) stacked.push_back(n.call("aten::stack", {s}));
  n.outputs(stacked);
}

}  // namespace onnx2fx::control_flow
