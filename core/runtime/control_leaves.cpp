// Control flow that no higher-order operator can hold.
#include <ATen/core/Tensor.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>
#include <optional>
#include <utility>

#include "core/runtime/callables.hpp"
#include "core/runtime/coerce.hpp"
#include "core/runtime/leaf_functions.hpp"

namespace onnx2fx::runtime::leaf {
namespace {

Arguments loop_step(const Plan& body, int64_t step, const c10::IValue& alive,
                    const Arguments& state, const Arguments& operands, size_t scans,
                    const Context& context) {
  Arguments inputs{at::scalar_tensor(step, at::kLong), alive};
  inputs.insert(inputs.end(), state.begin(), state.end());
  inputs.insert(inputs.end(), operands.begin(), operands.end());
  Arguments results = run(body, std::move(inputs), context);
  TORCH_CHECK(results.size() == 1 + state.size() + scans, "body: expected ",
              1 + state.size() + scans, " results, got ", results.size());
  return results;
}

// Scan outputs of a loop of no steps: what one step would give, with no rows.
void append_empty_scans(const Plan& body, const c10::IValue& alive, Arguments& state,
                        const Arguments& operands, size_t scans, const Context& context) {
  c10::NoGradGuard no_grad;
  const Arguments results = loop_step(body, 0, alive, state, operands, scans, context);
  for (size_t k = results.size() - scans; k < results.size(); k++) {
    const at::Tensor slice = results[k].toTensor();
    std::vector<int64_t> dims{0};
    dims.insert(dims.end(), slice.sizes().begin(), slice.sizes().end());
    state.emplace_back(slice.new_empty(dims));
  }
}

}  // namespace

// ONNX If in full: branches may return anything, of different types too.
c10::IValue cond(Arguments& x, const Context& context) {
  return c10::ivalue::Tuple::create(
      run(program_of(x[is_true(x[0]) ? 1 : 2]), elements(x[3]), context));
}

// ONNX Loop in full: run-time trip count and condition, scan outputs, carried values of any form.
c10::IValue loop(Arguments& x, const Context& context) {
  const Plan& body = program_of(x[0]);
  const int64_t trips = x[1].isNone() ? std::numeric_limits<int64_t>::max()
                                      : coerce(x[1], c10::IntType::get(), std::nullopt).toInt();
  c10::IValue alive = x[2].isNone() ? c10::IValue(at::scalar_tensor(true, at::kBool)) : x[2];
  Arguments state = elements(x[3]);
  const Arguments operands = elements(x[4]);
  const size_t n_state = state.size(), scans = static_cast<size_t>(x[5].toInt());
  std::vector<std::vector<at::Tensor>> slices(scans);
  int64_t step = 0;
  for (; step < trips && is_true(alive); step++) {
    Arguments results = loop_step(body, step, alive, state, operands, scans, context);
    alive = results[0];
    state.assign(results.begin() + 1, results.begin() + 1 + static_cast<std::ptrdiff_t>(n_state));
    for (size_t k = 0; k < scans; k++) slices[k].push_back(results[1 + n_state + k].toTensor());
  }
  if (step == 0 && scans > 0) {
    append_empty_scans(body, alive, state, operands, scans, context);
  } else {
    for (const std::vector<at::Tensor>& rows : slices) state.emplace_back(at::stack(rows));
  }
  return c10::ivalue::Tuple::create(std::move(state));
}

// The derivatives of function(xs, operands) by xs, of the sum of its elements; where autograd
// records, they are differentiable in turn.
c10::IValue gradient(Arguments& x, const Context& context) {
  const bool again = c10::GradMode::is_enabled();
  const c10::AutoGradMode recording(true);
  std::vector<at::Tensor> points;
  Arguments inputs;
  for (const c10::IValue& value : elements(x[1])) {
    const at::Tensor t = value.toTensor();
    // a step of its own: what else was computed from it does not count
    points.push_back(t.requires_grad() ? t.view_as(t) : t.detach().requires_grad_());
    inputs.emplace_back(points.back());
  }
  for (const c10::IValue& operand : elements(x[2])) inputs.push_back(operand);
  const at::Tensor y = run(program_of(x[0]), std::move(inputs), context).at(0).toTensor();
  std::vector<at::Tensor> gradients(points.size());
  if (y.requires_grad())
    gradients = torch::autograd::grad({y}, points, {at::ones_like(y)}, again, again, true);
  Arguments results;
  for (size_t i = 0; i < points.size(); i++)
    results.emplace_back(gradients[i].defined() ? gradients[i] : at::zeros_like(points[i]));
  return c10::ivalue::Tuple::create(std::move(results));
}

namespace {

// (domain, operator, opset, ...): what --keep-going kept, and nothing lowers.
[[noreturn]] void refuse(const Arguments& x) {
  const std::string domain = x[0].toStringRef();
  TORCH_CHECK(
      false, domain.empty() ? "ai.onnx" : domain, "::", x[1].toStringRef(), " (opset ",
      x[2].toInt(),
      "): this node was kept as an opaque one and cannot be run; the conversion's report says "
      "why");
}

}  // namespace

c10::IValue custom_call(Arguments& x, const Context&) { refuse(x); }

c10::IValue opaque(Arguments& x, const Context&) { refuse(x); }

}  // namespace onnx2fx::runtime::leaf
