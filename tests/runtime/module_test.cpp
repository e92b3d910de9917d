#include <ATen/core/grad_mode.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/optim/sgd.h>

#include "tests/runtime/program_builder.hpp"

namespace onnx2fx::runtime {
namespace {

using fx::Argument;
using fx::List;

List ints(std::initializer_list<int64_t> values) { return List(values.begin(), values.end()); }

std::shared_ptr<Module> conv_norm_relu() {
  ModuleBuilder module;
  const uint32_t weight = module.parameter("features.conv.weight", {0.5f, -0.25f}, {2, 1, 1, 1});
  const uint32_t scale = module.parameter("features.norm.weight", {1, 1}, {2});
  const uint32_t shift = module.parameter("features.norm.bias", {0, 0}, {2});
  const uint32_t mean = module.tensor("features.norm.running_mean", {0, 0}, {2}, fx::Role::kBuffer);
  const uint32_t variance =
      module.tensor("features.norm.running_var", {1, 1}, {2}, fx::Role::kBuffer);
  ProgramBuilder root("root");
  const fx::NodeRef x = root.placeholder("x"), w = root.tensor(weight), g = root.tensor(scale),
                    b = root.tensor(shift), m = root.tensor(mean), v = root.tensor(variance);
  const fx::NodeRef conv =
      root.call("aten::conv2d", {x, w, {}, ints({1, 1}), ints({0, 0}), ints({1, 1}), int64_t{1}});
  const fx::NodeRef norm =
      root.call("aten::batch_norm", {conv, g, b, m, v, fx::Training{}, 0.1, 1e-5, false});
  const fx::NodeRef relu = root.call("aten::relu", {norm});
  return module.build(root.output(relu));
}

TEST(Module, RegistersTensorsUnderNestedPaths) {
  const auto module = conv_norm_relu();
  std::vector<std::string> names;
  for (const auto& entry : module->named_parameters()) names.push_back(entry.key());
  EXPECT_EQ(names, (std::vector<std::string>{"features.conv.weight", "features.norm.weight",
                                             "features.norm.bias"}));
  EXPECT_TRUE(module->named_buffers().contains("features.norm.running_var"));
  EXPECT_FALSE(module->named_buffers()["features.norm.running_mean"].requires_grad());
}

TEST(Module, EvaluationUsesRunningStatistics) {
  const auto module = conv_norm_relu();
  module->eval();
  const at::Tensor y = module->forward({at::ones({1, 1, 1, 1})})[0].toTensor();
  EXPECT_NEAR(values_of(y)[0], 0.5f / std::sqrt(1 + 1e-5f), 1e-6);
  EXPECT_EQ(values_of(y)[1], 0);
  EXPECT_EQ(values_of(module->named_buffers()["features.norm.running_mean"]),
            (std::vector<float>{0, 0}));
}

TEST(Module, TrainingUpdatesStatisticsAndLowersTheLoss) {
  const auto module = conv_norm_relu();
  module->train();
  const at::Tensor x = at::randn({8, 1, 4, 4}), target = at::ones({8, 2, 4, 4});
  torch::optim::SGD sgd(module->parameters(), 0.1);
  double first = 0, last = 0;
  for (int step = 0; step < 10; step++) {
    sgd.zero_grad();
    const at::Tensor loss = at::mse_loss(module->forward({x})[0].toTensor(), target);
    loss.backward();
    sgd.step();
    (step == 0 ? first : last) = loss.item<double>();
  }
  EXPECT_LT(last, first);
  EXPECT_NE(values_of(module->named_buffers()["features.norm.running_var"]),
            (std::vector<float>{1, 1}));
}

TEST(Module, TiedTensorIsOneParameterWithTheSumOfItsGradients) {
  ModuleBuilder module;
  const uint32_t weight = module.parameter("w", {3}, {1});
  ProgramBuilder root("root");
  const fx::NodeRef x = root.placeholder("x"), first = root.tensor(weight),
                    second = root.tensor(weight);
  const fx::NodeRef once = root.call("aten::mul.Tensor", {x, first});
  const auto built = module.build(root.output(root.call("aten::mul.Tensor", {once, second})));
  ASSERT_EQ(built->parameters().size(), 1u);
  built->forward({floats({2}, {1})})[0].toTensor().sum().backward();
  EXPECT_EQ(values_of(built->parameters()[0].grad()), (std::vector<float>{12}));  // d/dw of 2w²
}

TEST(Module, TensorWithoutDataLivesOnMeta) {
  fx::Module module{.programs = {ProgramBuilder("root").output(List{})}};
  module.tensors.push_back(
      {.name = "w", .path = "w", .dtype = "float32", .dims = {2, 3}, .role = fx::Role::kParameter});
  Module built(module, [](const fx::Tensor&) { return std::span<const uint8_t>(); });
  EXPECT_TRUE(built.named_parameters()["w"].is_meta());
}

TEST(Module, FollowsToAnotherDtype) {
  const auto module = conv_norm_relu();
  module->to(at::kDouble);
  module->eval();
  const at::Tensor y =
      module->forward({at::ones({1, 1, 1, 1}, at::TensorOptions().dtype(at::kDouble))})[0]
          .toTensor();
  EXPECT_EQ(y.scalar_type(), at::kDouble);
}

TEST(Module, ErrorNamesTheNode) {
  ModuleBuilder module;
  ProgramBuilder root("root");
  const fx::NodeRef x = root.placeholder("x"), y = root.placeholder("y");
  const auto built = module.build(root.output(root.call("aten::mm", {x, y})));
  EXPECT_EQ(error_of([&] {
              built->forward({at::ones({2, 3}), at::ones({2, 3})});
            }),
            "error: node 'n2' (aten::mm): mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)");
}

TEST(Module, UnknownOperatorIsRefusedWhenBuilt) {
  ModuleBuilder module;
  ProgramBuilder root("root");
  const fx::NodeRef x = root.placeholder("x");
  const fx::Program program = root.output(root.call("acme::rope", {x}));
  EXPECT_EQ(error_of([&] { module.build(program); }),
            "error: node 'n1' (acme::rope): target: expected an operator of this LibTorch, got "
            "'acme::rope'\n"
            "  note: load the library that registers the pack's operators");
}

TEST(Module, NumberOfInputsIsChecked) {
  ModuleBuilder module;
  ProgramBuilder root("root");
  const auto built = module.build(root.output(root.placeholder("x")));
  EXPECT_EQ(error_of([&] { built->forward({}); }),
            "error: program 'root': inputs: expected 1, got 0");
}

TEST(Module, BytesMustFitTheShape) {
  ModuleBuilder module;
  module.parameter("w", {1, 2}, {3});
  EXPECT_EQ(error_of([&] { module.build(ProgramBuilder("root").output(List{})); }),
            "error: tensor 'w': data: expected 12 bytes, got 8");
}

}  // namespace
}  // namespace onnx2fx::runtime
