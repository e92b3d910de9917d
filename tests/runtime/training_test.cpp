// Converted models, trained in C++. Gradients are compared with finite differences, all of them.
#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <memory>

#include "core/include/onnx2fx/module.hpp"
#include "tests/runtime/op_fixture.hpp"

namespace onnx2fx::ops {
namespace {

using Inputs = std::vector<c10::IValue>;

std::shared_ptr<Module> make_module(const std::string& text) {
  const Conversion converted = convert_text(
      "<ir_version: 10, opset_import: [\"\": 21, \"ai.onnx.preview.training\": 1]>\n" + text);
  return std::make_shared<Module>(
      converted.module, [&](const fx::Tensor& tensor) { return converted.bytes(tensor.data); });
}

// Every element of every output counts, each with another weight.
at::Tensor loss_of(Module& module, const Inputs& inputs) {
  at::Tensor loss = at::scalar_tensor(0.0, at::kFloat);
  for (const c10::IValue& output : module.forward(inputs)) {
    const at::Tensor y = output.toTensor().flatten();
    loss = loss + (y * at::sin(at::arange(y.numel()) + 1)).sum();
  }
  return loss;
}

double loss_without_graph(Module& module, const Inputs& inputs) {
  c10::NoGradGuard no_grad;
  return loss_of(module, inputs).item<double>();
}

void expect_right_gradients(Module& module, const Inputs& inputs) {
  constexpr float kStep = 1e-2f;
  loss_of(module, inputs).backward();
  const auto parameters = module.named_parameters();
  ASSERT_FALSE(parameters.is_empty());
  for (const auto& entry : parameters) {
    ASSERT_TRUE(entry.value().grad().defined()) << entry.key();
    float* const values = entry.value().mutable_data_ptr<float>();
    const at::Tensor gradient = entry.value().grad().contiguous();
    for (int64_t i = 0; i < gradient.numel(); i++) {
      const float kept = values[i];
      values[i] = kept + kStep;
      const double above = loss_without_graph(module, inputs);
      values[i] = kept - kStep;
      const double below = loss_without_graph(module, inputs);
      values[i] = kept;
      const double expected = (above - below) / (2 * kStep);
      EXPECT_NEAR(gradient.const_data_ptr<float>()[i], expected, 5e-3 * (1 + std::abs(expected)))
          << entry.key() << "[" << i << "]";
    }
  }
}

at::Tensor floats(const std::vector<float>& values, at::IntArrayRef dims) {
  return at::tensor(values).reshape(dims);
}
at::Tensor count(int64_t n) { return at::scalar_tensor(n, at::kLong); }

TEST(Training, PerceptronHasRightGradients) {
  const auto module = make_module(R"(
g (float[n, 2] x) => (float[n, 2] y)
<float[2, 3] w1 = {0.5, -1, 0.25, 1, 0.75, -0.5}, float[3] b1 = {0.1, 0.2, 0.3}, float[2, 3] w2 = {1, -1, 0.5, 0.25, 2, 1}> {
  a = MatMul(x, w1)
  b = Add(a, b1)
  c = Tanh(b)
  y = Gemm <transB = 1> (c, w2)
})");
  expect_right_gradients(*module, {floats({1, 2, -1, 0.5}, {2, 2})});
}

TEST(Training, BatchNormalizationUsesTheBatchInTrainingOnly) {
  const auto module = make_module(R"(
g (float[n, 1, 3] x) => (float[n, 1, 3] y)
<float[1] s = {1.5}, float[1] b = {0.5}, float[1] m = {0}, float[1] v = {1}> {
  y = BatchNormalization <momentum = 0.9> (x, s, b, m, v)
})");
  const at::Tensor x = floats({1, 2, 4, -3, 0, 2}, {2, 1, 3});
  module->eval();
  const at::Tensor before = module->forward({x})[0].toTensor();
  EXPECT_NEAR(before.flatten()[0].item<double>(), 2, 1e-4);
  module->train();
  EXPECT_NEAR(module->forward({x})[0].toTensor().mean().item<double>(), 0.5, 1e-5);
  EXPECT_NEAR(module->named_buffers()["m"].item<double>(), 0.1,
              1e-6);  // 0.1 of the batch's mean, 1
  expect_right_gradients(*module, {x});
}

TEST(Training, SeededDropoutDrawsAnotherMaskEachStepAndTheSameAfterEachLoad) {
  const std::string text = R"(
g (float[n] x) => (float[n] y)
<float ratio = {0.25}> {
  y = Dropout <seed = 5> (x, ratio)
})";
  const auto module = make_module(text), twin = make_module(text);
  const at::Tensor x = at::arange(1, 4001).to(at::kFloat);
  module->eval();
  EXPECT_TRUE(at::equal(module->forward({x})[0].toTensor(), x));
  module->train();
  const at::Tensor first = module->forward({x})[0].toTensor();
  const at::Tensor second = module->forward({x})[0].toTensor();
  EXPECT_FALSE(at::equal(first, second));
  EXPECT_NEAR(first.eq(0).to(at::kFloat).mean().item<double>(), 0.25, 0.04);
  EXPECT_TRUE(at::allclose(first, at::where(first.eq(0), first, x / 0.75)));
  at::manual_seed(17);
  EXPECT_TRUE(at::equal(twin->forward({x})[0].toTensor(), first));
  EXPECT_TRUE(at::equal(twin->forward({x})[0].toTensor(), second));
}

TEST(Training, GradientOfAPartOfTheGraphIsDifferentiable) {
  const auto module = make_module(R"(
g (float[2, 2] x) => (float[2, 2] dx, float[2, 2] dxx)
<float[2, 2] w = {0.5, -1, 0.25, 1}> {
  h = MatMul(x, w)
  t = Tanh(h)
  dx = ai.onnx.preview.training.Gradient <xs = ["x"], y = "t"> (x)
  dxx = ai.onnx.preview.training.Gradient <xs = ["x"], y = "dx"> (x)
})");
  const at::Tensor x = floats({1, 2, -1, 0.5}, {2, 2}), w = floats({0.5, -1, 0.25, 1}, {2, 2});
  at::Tensor point = x.clone().requires_grad_();
  const auto by_point = [&](const at::Tensor& y, bool again) {
    return torch::autograd::grad({y}, {point}, {at::ones_like(y)}, again, again)[0];
  };
  const at::Tensor dx = by_point(at::tanh(at::matmul(point, w)), true), dxx = by_point(dx, false);
  c10::NoGradGuard no_grad;
  const auto got = module->forward({x});
  EXPECT_TRUE(at::allclose(got[0].toTensor(), dx));
  EXPECT_TRUE(at::allclose(got[1].toTensor(), dxx));
  c10::AutoGradMode recording(true);
  expect_right_gradients(*module, {x});
}

TEST(Training, LoopOfAKnownCountHasRightGradients) {
  const auto module = make_module(R"(
g (float[2] x) => (float[2] y, float[3, 2] all)
<float[2] w = {0.5, -1.5}> {
  n = Constant <value = int64 {3}>()
  go = Constant <value = bool {1}>()
  y, all = Loop(n, go, x) <body = b (int64 i, bool alive, float[2] s) => (bool keep, float[2] t, float[2] row) {
    keep = Identity(alive)
    p = Mul(s, w)
    t = Add(p, w)
    row = Mul(t, t)
  }>
})");
  expect_right_gradients(*module, {floats({1, 2}, {2})});
}

TEST(Training, LoopOfARunTimeCountHasRightGradients) {
  const auto module = make_module(R"(
g (int64 n, float[2] x) => (float[2] y)
<float[2] w = {0.5, -1.5}> {
  go = Constant <value = bool {1}>()
  y = Loop(n, go, x) <body = b (int64 i, bool alive, float[2] s) => (bool keep, float[2] t) {
    keep = Identity(alive)
    t = Mul(s, w)
  }>
})");
  expect_right_gradients(*module, {count(3), floats({1, 2}, {2})});
}

TEST(Training, LoopThatGrowsHasRightGradients) {
  const auto module = make_module(R"(
g (int64 n, float[k, 2] x) => (float[m, 2] y, float[r, 1, 1] sums)
<float[2] w = {1.25, -0.5}> {
  go = Constant <value = bool {1}>()
  y, sums = Loop(n, go, x) <body = b (int64 i, bool alive, float[j, 2] s) => (bool keep, float[q, 2] t, float[1, 1] row) {
    keep = Identity(alive)
    scaled = Mul(s, w)
    t = Concat <axis = 0> (s, scaled)
    row = ReduceSum <keepdims = 1> (t)
  }>
})");
  expect_right_gradients(*module, {count(3), floats({1, 2}, {1, 2})});
}

TEST(Training, ScanHasRightGradients) {
  const auto module = make_module(R"(
g (float[2] s, float[k, 2] xs) => (float[2] last, float[k, 2] all)
<float[2] w = {0.5, -1.5}> {
  last, all = Scan <num_scan_inputs = 1, body = b (float[2] state, float[2] x) => (float[2] next, float[2] row) {
    p = Mul(state, w)
    next = Add(p, x)
    row = Mul(next, w)
  }> (s, xs)
})");
  expect_right_gradients(*module, {floats({1, 2}, {2}), floats({1, -1, 0.5, 2, 3, 1}, {3, 2})});
}

TEST(Training, BothBranchesHaveRightGradients) {
  for (const bool condition : {true, false}) {
    const auto module = make_module(R"(
g (bool c, float[2] x) => (float[2] y)
<float[2] w = {0.5, -1.5}> {
  y = If(c) <then_branch = t () => (float[2] a) { a = Mul(x, w) }, else_branch = e () => (float[2] b) { s = Add(x, w) b = Mul(s, w) }>
})");
    expect_right_gradients(*module, {at::scalar_tensor(condition, at::kBool), floats({1, 2}, {2})});
  }
}

TEST(Training, TiedWeightIsOneParameter) {
  const auto module = make_module(R"(
g (float[n, 2] x) => (float[n, 2] y)
<float[2, 2] w = {0.5, -1, 2, 0.25}> {
  a = MatMul(x, w)
  b = Sigmoid(a)
  y = MatMul(b, w)
})");
  EXPECT_EQ(module->parameters().size(), 1u);
  expect_right_gradients(*module, {floats({1, 2, -1, 0.5}, {2, 2})});
}

}  // namespace
}  // namespace onnx2fx::ops
