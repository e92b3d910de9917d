// Higher-order operators as plain eager loops: autograd records what ran, so gradients are right by
// themselves.
#include <ATen/core/Tensor.h>
#include <ATen/ops/stack.h>

#include <utility>

#include "core/runtime/callables.hpp"
#include "core/runtime/coerce.hpp"

namespace onnx2fx::runtime {
namespace {

using Arguments = std::vector<c10::IValue>;

void append(Arguments& to, const Arguments& from) { to.insert(to.end(), from.begin(), from.end()); }

c10::IValue tuple(Arguments items) { return c10::ivalue::Tuple::create(std::move(items)); }

// (predicate, then, else, [operands])
c10::IValue cond(Arguments& x, const Context& context) {
  TORCH_CHECK(x.size() == 4, "cond: expected 4 arguments, got ", x.size());
  return tuple(run(program_of(x[is_true(x[0]) ? 1 : 2]), elements(x[3]), context));
}

// (condition, body, [state], [operands])
c10::IValue while_loop(Arguments& x, const Context& context) {
  TORCH_CHECK(x.size() == 4, "while_loop: expected 4 arguments, got ", x.size());
  const Plan &condition = program_of(x[0]), &body = program_of(x[1]);
  Arguments state = elements(x[2]);
  const size_t n_state = state.size();
  const Arguments operands = elements(x[3]);
  while (true) {
    Arguments inputs = state;
    append(inputs, operands);
    if (!is_true(run(condition, inputs, context).at(0))) return tuple(std::move(state));
    state = run(body, std::move(inputs), context);
    TORCH_CHECK(state.size() == n_state, "while_loop: body: expected ", n_state, " results, got ",
                state.size());
  }
}

// (step, [state], [slices], [operands]): one step per index of the slices' first dimension. The
// step gives the state back, then one element of each stacked output.
c10::IValue scan(Arguments& x, const Context& context) {
  TORCH_CHECK(x.size() == 4, "scan: expected 4 arguments, got ", x.size());
  const Plan& step = program_of(x[0]);
  Arguments state = elements(x[1]);
  const size_t n_state = state.size();
  const Arguments slices = elements(x[2]), operands = elements(x[3]);
  TORCH_CHECK(!slices.empty(), "scan: expected something to scan, got nothing");
  const int64_t steps = slices[0].toTensor().size(0);
  TORCH_CHECK(steps > 0, "scan: expected at least one step, got none");
  std::vector<std::vector<at::Tensor>> outputs;
  for (int64_t i = 0; i < steps; i++) {
    Arguments inputs = state;
    for (const c10::IValue& slice : slices) inputs.emplace_back(slice.toTensor().select(0, i));
    append(inputs, operands);
    Arguments results = run(step, std::move(inputs), context);
    TORCH_CHECK(results.size() >= n_state, "scan: step: expected at least ", n_state,
                " results, got ", results.size());
    outputs.resize(results.size() - n_state);
    for (size_t k = 0; k < outputs.size(); k++)
      outputs[k].push_back(results[n_state + k].toTensor());
    results.resize(n_state);
    state = std::move(results);
  }
  for (const std::vector<at::Tensor>& parts : outputs) state.emplace_back(at::stack(parts));
  return tuple(std::move(state));
}

}  // namespace

Callable find_control_flow(const std::string& target) {
#define HIGHER_ORDER(name, first_program, n_programs) \
  if (target == "higher_order::" #name) return name;
#include "core/fx/higher_order.def"
  return {};
}

}  // namespace onnx2fx::runtime
