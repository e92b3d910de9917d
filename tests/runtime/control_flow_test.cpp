// Gradients are compared with values worked out by hand: a gradient that merely exists proves
// nothing.
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/runtime/program_builder.hpp"

namespace onnx2fx::runtime {
namespace {

using fx::List;

at::Tensor truth(bool b) { return at::scalar_tensor(b, at::kBool); }
at::Tensor number(int64_t i) { return at::scalar_tensor(i, at::kLong); }

// x when the predicate is true, w·x otherwise
std::shared_ptr<Module> branch() {
  ModuleBuilder module;
  const uint32_t weight = module.parameter("w", {3}, {1});
  ProgramBuilder then_branch("then"), else_branch("else"), root("root");
  const fx::NodeRef x1 = then_branch.placeholder("x");
  then_branch.placeholder("w");
  const fx::ProgramRef same = module.program(then_branch.output(List{x1}));
  const fx::NodeRef x2 = else_branch.placeholder("x"), w2 = else_branch.placeholder("w");
  const fx::NodeRef product = else_branch.call("aten::mul.Tensor", {x2, w2});
  const fx::ProgramRef scaled = module.program(else_branch.output(List{product}));
  const fx::NodeRef p = root.placeholder("p"), x = root.placeholder("x"), w = root.tensor(weight);
  const fx::NodeRef both = root.call("higher_order::cond", {p, same, scaled, List{x, w}});
  return module.build(root.output(root.call("operator::getitem", {both, int64_t{0}})));
}

TEST(ControlFlow, CondRunsOneBranch) {
  const auto module = branch();
  EXPECT_EQ(values_of(module->forward({truth(true), floats({2}, {1})})[0].toTensor()),
            (std::vector<float>{2}));
  EXPECT_EQ(values_of(module->forward({truth(false), floats({2}, {1})})[0].toTensor()),
            (std::vector<float>{6}));
}

TEST(ControlFlow, CondPassesTheGradientOfTheBranchTaken) {
  const auto module = branch();
  module->forward({truth(false), floats({2}, {1})})[0].toTensor().sum().backward();
  EXPECT_EQ(values_of(module->parameters()[0].grad()), (std::vector<float>{2}));
}

// i < n: (i + 1, x·w)
std::shared_ptr<Module> power() {
  ModuleBuilder module;
  const uint32_t weight = module.parameter("w", {3}, {1});
  ProgramBuilder condition("condition"), body("body"), root("root");
  const fx::NodeRef i1 = condition.placeholder("i");
  condition.placeholder("x");
  const fx::NodeRef n1 = condition.placeholder("n");
  condition.placeholder("w");
  const fx::ProgramRef more =
      module.program(condition.output(condition.call("aten::lt.Tensor", {i1, n1})));
  const fx::NodeRef i2 = body.placeholder("i"), x2 = body.placeholder("x");
  body.placeholder("n");
  const fx::NodeRef w2 = body.placeholder("w");
  const fx::NodeRef next = body.call("aten::add.Scalar", {i2, int64_t{1}}),
                    product = body.call("aten::mul.Tensor", {x2, w2});
  const fx::ProgramRef step = module.program(body.output(List{next, product}));
  const fx::NodeRef n = root.placeholder("n"), x = root.placeholder("x"), w = root.tensor(weight);
  const fx::NodeRef zero = root.call("aten::sub.Tensor", {n, n});
  const fx::NodeRef loop =
      root.call("higher_order::while_loop", {more, step, List{zero, x}, List{n, w}});
  return module.build(root.output(root.call("operator::getitem", {loop, int64_t{1}})));
}

TEST(ControlFlow, WhileLoopGradientHasAllTerms) {
  const auto module = power();
  const at::Tensor y = module->forward({number(3), floats({2}, {1})})[0].toTensor();
  EXPECT_EQ(values_of(y), (std::vector<float>{54}));
  y.sum().backward();
  EXPECT_EQ(values_of(module->parameters()[0].grad()), (std::vector<float>{54}));  // 2·3w² at w = 3
}

TEST(ControlFlow, WhileLoopOfNoStepsGivesTheStateBack) {
  EXPECT_EQ(values_of(power()->forward({number(0), floats({2}, {1})})[0].toTensor()),
            (std::vector<float>{2}));
}

// Running product: state·slice, stacked.
std::shared_ptr<Module> running_product() {
  ModuleBuilder module;
  ProgramBuilder step("step"), root("root");
  const fx::NodeRef state = step.placeholder("state"), slice = step.placeholder("slice");
  const fx::NodeRef product = step.call("aten::mul.Tensor", {state, slice});
  const fx::ProgramRef program = module.program(step.output(List{product, product}));
  const fx::NodeRef start = root.placeholder("start"), xs = root.placeholder("xs");
  const fx::NodeRef all = root.call("higher_order::scan", {program, List{start}, List{xs}, List{}});
  const fx::NodeRef last = root.call("operator::getitem", {all, int64_t{0}}),
                    rows = root.call("operator::getitem", {all, int64_t{1}});
  return module.build(root.output(List{last, rows}), 2);
}

TEST(ControlFlow, ScanStacksItsOutputs) {
  const auto results = running_product()->forward({floats({1}, {1}), floats({2, 3, 4}, {3, 1})});
  EXPECT_EQ(values_of(results[0].toTensor()), (std::vector<float>{24}));
  EXPECT_EQ(values_of(results[1].toTensor()), (std::vector<float>{2, 6, 24}));
  EXPECT_EQ(results[1].toTensor().sizes(), (at::IntArrayRef{3, 1}));
}

TEST(ControlFlow, ScanDifferentiates) {
  const at::Tensor start = floats({1}, {1}).requires_grad_();
  const auto results = running_product()->forward({start, floats({2, 3, 4}, {3, 1})});
  results[1].toTensor().sum().backward();
  EXPECT_EQ(values_of(start.grad()), (std::vector<float>{32}));
}

TEST(ControlFlow, ScanOfNoStepsIsRefused) {
  EXPECT_EQ(error_of([] {
              running_product()->forward({floats({1}, {1}), at::zeros({0, 1})});
            }),
            "error: node 'n2' (higher_order::scan): scan: expected at least one step, got none");
}

// Carries a growing tensor, which no higher-order operator holds; stops when the sum reaches a
// limit.
std::shared_ptr<Module> growing() {
  ModuleBuilder module;
  ProgramBuilder body("body"), root("root");
  body.placeholder("i");
  body.placeholder("alive");
  const fx::NodeRef x = body.placeholder("x"), limit = body.placeholder("limit");
  const fx::NodeRef twice = body.call("aten::cat", {List{x, x}}),
                    sum = body.call("aten::sum", {twice}),
                    go = body.call("aten::lt.Tensor", {sum, limit});
  const fx::ProgramRef program = module.program(body.output(List{go, twice, sum}));
  const fx::NodeRef trips = root.placeholder("trips"), start = root.placeholder("x"),
                    l = root.placeholder("limit");
  const fx::NodeRef loop =
      root.call("onnx2fx::loop", {program, trips, {}, List{start}, List{l}, int64_t{1}});
  const fx::NodeRef grown = root.call("operator::getitem", {loop, int64_t{0}}),
                    sums = root.call("operator::getitem", {loop, int64_t{1}});
  return module.build(root.output(List{grown, sums}), 2);
}

TEST(ControlFlow, LoopLeafCarriesWhatGrowsAndStopsByItself) {
  const auto results = growing()->forward({number(10), floats({1}, {1}), floats({8}, {})});
  EXPECT_EQ(results[0].toTensor().numel(), 8);
  EXPECT_EQ(values_of(results[1].toTensor()), (std::vector<float>{2, 4, 8}));
}

TEST(ControlFlow, LoopLeafOfNoStepsHasEmptyScanOutputs) {
  const auto results = growing()->forward({number(0), floats({1}, {1}), floats({8}, {})});
  EXPECT_EQ(values_of(results[0].toTensor()), (std::vector<float>{1}));
  EXPECT_EQ(results[1].toTensor().sizes(), (at::IntArrayRef{0}));
}

TEST(ControlFlow, ErrorInASubProgramNamesTheInnerNode) {
  ModuleBuilder module;
  ProgramBuilder body("body"), root("root");
  const fx::NodeRef a = body.placeholder("a");
  const fx::ProgramRef program = module.program(body.output(List{body.call("aten::mm", {a, a})}));
  const fx::NodeRef p = root.placeholder("p"), x = root.placeholder("x");
  const auto built =
      module.build(root.output(root.call("higher_order::cond", {p, program, program, List{x}})));
  EXPECT_EQ(error_of([&] {
              built->forward({truth(true), at::zeros({2, 3})});
            }),
            "error: node 'n1' (aten::mm): mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)");
}

}  // namespace
}  // namespace onnx2fx::runtime
