// One small case per family, worked out by hand; the whole standard is proved by the conformance
// suite.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/runtime/op_fixture.hpp"

namespace onnx2fx::ops {
namespace {

class EveryOpset : public testing::TestWithParam<int64_t> {};

TEST_P(EveryOpset, Relu) {
  EXPECT_EQ(lower_and_run({.op = "Relu", .opset = GetParam()}, {floats({-1, 0, 2})}),
            floats({0, 0, 2}));
}
INSTANTIATE_TEST_SUITE_P(Relu, EveryOpset, testing::Values(6, 13, 14, 28));

TEST(Op, AddBroadcasts) {
  EXPECT_EQ(lower_and_run({.op = "Add"}, {floats({1, 2, 3, 4}, {2, 2}), floats({10, 20})}),
            floats({11, 22, 13, 24}, {2, 2}));
}

TEST(Op, IntegerDivisionTruncates) {
  EXPECT_EQ(
      lower_and_run({.op = "Div", .output_types = {"int64[]"}}, {longs({7, -7}), longs({2, 2})}),
      longs({3, -3}));
}

TEST(Op, ModFollowsTheDivisorUnlessFmod) {
  EXPECT_EQ(
      lower_and_run({.op = "Mod", .output_types = {"int64[]"}}, {longs({-7, 7}), longs({3, -3})}),
      longs({2, -2}));
  EXPECT_EQ(
      lower_and_run({.op = "Mod", .attributes = "fmod = 1"}, {floats({-7, 7}), floats({3, -3})}),
      floats({-1, 1}));
}

TEST(Op, GemmScalesAndTransposes) {
  EXPECT_EQ(lower_and_run({.op = "Gemm", .attributes = "alpha = 0.5, beta = 2.0, transB = 1"},
                          {floats({1, 2}, {1, 2}), floats({3, 4, 5, 6}, {2, 2}), floats({1, 10})}),
            floats({7.5, 28.5}, {1, 2}));
}

TEST(Op, ConvPadsItsSidesUnalike) {
  EXPECT_EQ(lower_and_run({.op = "Conv", .attributes = "kernel_shape = [2], pads = [1, 0]"},
                          {floats({1, 2, 3}, {1, 1, 3}), floats({1, 10}, {1, 1, 2})}),
            floats({10, 21, 32}, {1, 1, 3}));
}

TEST(Op, MaxPoolRoundsUpInCeilMode) {
  EXPECT_EQ(lower_and_run(
                {.op = "MaxPool", .attributes = "kernel_shape = [2], strides = [2], ceil_mode = 1"},
                {floats({1, 5, 3, 4, 2}, {1, 1, 5})}),
            floats({5, 4, 2}, {1, 1, 3}));
}

TEST(Op, AveragePoolLeavesPaddingOut) {
  EXPECT_EQ(lower_and_run({.op = "AveragePool", .attributes = "kernel_shape = [3], pads = [1, 1]"},
                          {floats({3, 6, 9}, {1, 1, 3})}),
            floats({4.5, 6, 7.5}, {1, 1, 3}));
}

TEST(Op, BatchNormalizationUsesRunningStatistics) {
  EXPECT_EQ(
      lower_and_run({.op = "BatchNormalization", .attributes = "epsilon = 0.0", .opset = 15},
                    {floats({1, 3}, {2, 1}), floats({2}), floats({1}), floats({1}), floats({4})}),
      floats({1, 3}, {2, 1}));
}

TEST(Op, SoftmaxOfOldFlattensFirst) {
  const double half = 0.5;
  EXPECT_EQ(lower_and_run({.op = "Softmax", .attributes = "axis = 1", .opset = 11},
                          {floats({0, 0}, {1, 2, 1})}),
            floats({half, half}, {1, 2, 1}));
}

TEST(Op, ReshapeCopiesZeroAndInfersMinusOne) {
  EXPECT_EQ(
      lower_and_run({.op = "Reshape"}, {floats({1, 2, 3, 4, 5, 6}, {2, 3, 1}), longs({0, -1})}),
      floats({1, 2, 3, 4, 5, 6}, {2, 3}));
}

TEST(Op, SliceGoesBackwards) {
  EXPECT_EQ(lower_and_run({.op = "Slice"}, {floats({1, 2, 3, 4}), longs({-1}), longs({-5}),
                                            longs({0}), longs({-2})}),
            floats({4, 2}));
}

TEST(Op, GatherCountsFromTheEnd) {
  EXPECT_EQ(lower_and_run({.op = "Gather", .attributes = "axis = 1"},
                          {floats({1, 2, 3, 4}, {2, 2}), longs({-1})}),
            floats({2, 4}, {2, 1}));
}

TEST(Op, ConcatJoinsAlongAnAxis) {
  EXPECT_EQ(lower_and_run({.op = "Concat", .attributes = "axis = 1"},
                          {floats({1, 2}, {2, 1}), floats({3, 4}, {2, 1})}),
            floats({1, 3, 2, 4}, {2, 2}));
}

TEST(Op, ReduceMeanKeepsDims) {
  EXPECT_EQ(
      lower_and_run({.op = "ReduceMean", .opset = 18}, {floats({1, 2, 3, 6}, {2, 2}), longs({1})}),
      floats({1.5, 4.5}, {2, 1}));
}

TEST(Op, ArgMaxTakesTheLastOnDemand) {
  EXPECT_EQ(lower_and_run({.op = "ArgMax",
                           .attributes = "axis = 0, keepdims = 0, select_last_index = 1",
                           .output_types = {"int64[]"}},
                          {floats({2, 3, 3})}),
            (Literal{"int64", {}, {2}}));
}

TEST(Op, TopKGivesValuesAndIndices) {
  const std::vector<Literal> results = lower_and_run_all(
      {.op = "TopK", .output_types = {"float[]", "int64[]"}}, {floats({1, 4, 3}), longs({2})});
  EXPECT_EQ(results[0], floats({4, 3}));
  EXPECT_EQ(results[1], longs({1, 2}));
}

TEST(Op, WhereSelects) {
  EXPECT_EQ(lower_and_run({.op = "Where"}, {bools({1, 0}), floats({1, 2}), floats({3, 4})}),
            floats({1, 4}));
}

TEST(Op, CastTruncatesTowardsZero) {
  EXPECT_EQ(lower_and_run({.op = "Cast", .attributes = "to = 7", .output_types = {"int64[]"}},
                          {floats({1.9, -1.9})}),
            longs({1, -1}));
}

TEST(Op, QuantizeLinearRoundsHalfToEvenAndSaturates) {
  const Literal scale{"float32", {}, {2}}, zero{"uint8", {}, {128}};
  EXPECT_EQ(lower_and_run({.op = "QuantizeLinear", .output_types = {"uint8[]"}},
                          {floats({1, 3, 1000, -1000}), scale, zero}),
            (Literal{"uint8", {4}, {128, 130, 255, 0}}));
}

TEST(Op, ClipTakesOneBoundOnly) {
  const Literal low{"float32", {}, {0}};
  EXPECT_EQ(lower_and_run({.op = "Clip"}, {floats({-1, 5}), low}), floats({0, 5}));
}

TEST(Op, UnknownOperatorIsAnError) {
  const std::string text =
      error_of({.op = "Rope", .opset = 1, .domain = "com.acme"}, {floats({1})});
  EXPECT_NE(text.find("com.acme"), std::string::npos) << text;
  EXPECT_NE(text.find("Rope"), std::string::npos) << text;
}

// The same numbers as tests/python/test_random.py.
TEST(Op, RandomUniformWithASeedIsSplitMix64) {
  EXPECT_EQ(run_model(R"(
<ir_version: 10, opset_import: ["": 21]>
g () => (double[2] y) { y = RandomUniform <shape = [2], dtype = 11, seed = 1.0>() })",
                      {})[0],
            (Literal{"float64", {2}, {0.2558852031320078, 0.08832385701148338}}));
}

TEST(Op, GatherOfATableCountsNegativeIdsThatAreComputedFromTheEnd) {
  EXPECT_EQ(run_model(R"(
<ir_version: 10, opset_import: ["": 21]>
g (int64[n] x) => (float[n, 2] y) <float[3, 2] table = {1, 2, 3, 4, 5, 6}, int64 one = {1}> {
  ids = Sub(x, one)
  y = Gather(table, ids)
})",
                      {longs({1, 0, 3, -2})})[0],
            floats({1, 2, 5, 6, 5, 6, 1, 2}, {4, 2}));
}

TEST(ControlFlowModel, LoopOfARunTimeCount) {
  const std::vector<Literal> results = run_model(R"(
<ir_version: 10, opset_import: ["": 21]>
g (int64 n, float[1] x) => (float[1] y) {
  go = Constant <value = bool {1}>()
  y = Loop(n, go, x) <body = b (int64 i, bool alive, float[1] s) => (bool keep, float[1] t) {
    keep = Identity(alive)
    t = Add(s, s)
  }>
})",
                                                 {Literal{"int64", {}, {3}}, floats({1})});
  EXPECT_EQ(results[0], floats({8}));
}

TEST(ControlFlowModel, IfTakesTheBranchOfItsCondition) {
  const std::string text = R"(
<ir_version: 10, opset_import: ["": 21]>
g (bool c, float[1] x) => (float[1] y) {
  y = If(c) <then_branch = t () => (float[1] a) { a = Neg(x) }, else_branch = e () => (float[1] b) { b = Identity(x) }>
})";
  EXPECT_EQ(run_model(text, {Literal{"bool", {}, {1}}, floats({2})})[0], floats({-2}));
  EXPECT_EQ(run_model(text, {Literal{"bool", {}, {0}}, floats({2})})[0], floats({2}));
}

}  // namespace
}  // namespace onnx2fx::ops
