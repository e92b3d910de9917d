#include <ATen/ops/arange.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "core/runtime/coerce.hpp"
#include "core/runtime/compare.hpp"
#include "core/runtime/host_value.hpp"
#include "tests/runtime/program_builder.hpp"

namespace onnx2fx::runtime {
namespace {

using fx::Argument;
using fx::List;

c10::IValue evaluate(const std::string& target, List arguments) {
  ModuleBuilder module;
  ProgramBuilder root("root");
  return module.build(root.output(root.call(target, std::move(arguments))))->forward({})[0];
}

TEST(Arithmetic, RoundsAsPythonDoes) {
  EXPECT_EQ(evaluate("operator::floordiv", {int64_t{-7}, int64_t{2}}).toInt(), -4);
  EXPECT_EQ(evaluate("operator::mod", {int64_t{-7}, int64_t{2}}).toInt(), 1);
  EXPECT_EQ(evaluate("operator::mod", {int64_t{7}, int64_t{-2}}).toInt(), -1);
  EXPECT_EQ(evaluate("operator::truediv", {int64_t{7}, int64_t{2}}).toDouble(), 3.5);
  EXPECT_EQ(evaluate("operator::floordiv", {-7.0, int64_t{2}}).toDouble(), -4);
  EXPECT_EQ(evaluate("operator::add", {true, int64_t{2}}).toInt(), 3);
  EXPECT_TRUE(evaluate("operator::lt", {int64_t{1}, 1.5}).toBool());
  EXPECT_EQ(evaluate("torch::sym_max", {int64_t{3}, int64_t{5}}).toInt(), 5);
}

TEST(Arithmetic, RefusesWhatHasNoResult) {
  EXPECT_EQ(error_of([] {
              evaluate("operator::floordiv", {int64_t{1}, int64_t{0}});
            }),
            "error: node 'n0' (operator::floordiv): integer division by zero");
  EXPECT_EQ(error_of([] {
              evaluate("operator::mul", {INT64_MAX, int64_t{2}});
            }),
            "error: node 'n0' (operator::mul): integer overflow");
}

TEST(Arguments, SymbolicIntsReachShapes) {
  ModuleBuilder module;
  ProgramBuilder root("root");
  const fx::NodeRef x = root.placeholder("x");
  const fx::NodeRef rows = root.call("aten::sym_size.int", {x, int64_t{0}});
  const fx::NodeRef twice = root.call("operator::mul", {rows, int64_t{2}});
  const auto built =
      module.build(root.output(root.call("aten::reshape", {x, List{twice, int64_t{-1}}})));
  EXPECT_EQ(built->forward({at::zeros({3, 4})})[0].toTensor().sizes(), (at::IntArrayRef{6, 2}));
}

TEST(Arguments, NamesAreConvertedToEnumerators) {
  ModuleBuilder module;
  ProgramBuilder root("root");
  const fx::NodeRef x = root.placeholder("x");
  const auto built =
      module.build(root.output(root.call("aten::full", {List{int64_t{2}}, int64_t{1}},
                                         {{"dtype", fx::Dtype{"float16"}},
                                          {"device", fx::DeviceOf{x}},
                                          {"layout", fx::Layout{"strided"}}})));
  EXPECT_EQ(built->forward({at::zeros({1})})[0].toTensor().scalar_type(), at::kHalf);
}

TEST(Arguments, OptionalTensorListsMayHaveHoles) {
  ModuleBuilder module;
  ProgramBuilder root("root");
  const fx::NodeRef x = root.placeholder("x"), index = root.placeholder("index");
  const auto built =
      module.build(root.output(root.call("aten::index.Tensor", {x, List{{}, index}})));
  const at::Tensor y =
      built->forward({floats({1, 2, 3, 4}, {2, 2}), at::tensor({int64_t{1}})})[0].toTensor();
  EXPECT_EQ(values_of(y), (std::vector<float>{2, 4}));
}

TEST(Values, ListsAreIndexedFromBothEnds) {
  ModuleBuilder module;
  ProgramBuilder root("root");
  const fx::NodeRef x = root.placeholder("x");
  const fx::NodeRef parts = root.call("aten::split.Tensor", {x, int64_t{1}});
  const auto built =
      module.build(root.output(root.call("operator::getitem", {parts, int64_t{-1}})));
  EXPECT_EQ(values_of(built->forward({floats({1, 2}, {2})})[0].toTensor()),
            (std::vector<float>{2}));
}

TEST(Values, OneOutputThatIsASequenceIsAList) {
  ModuleBuilder module;
  ProgramBuilder root("root");
  const fx::NodeRef x = root.placeholder("x"), y = root.placeholder("y");
  const auto results =
      module.build(root.output(List{x, y}))->forward({at::zeros({1}), at::zeros({2})});
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].toListRef().size(), 2u);
}

HostValue tensor(std::vector<float> values) {
  return {HostTensor{"float32",
                     {static_cast<int64_t>(values.size())},
                     std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4)}};
}

TEST(Values, HostValuesComeBackAsTheyWent) {
  const HostValue strings{HostStrings{{2}, {"a", "b"}}};
  const HostValue map{HostMap{{int64_t{7}}, {tensor({1})}}};
  const HostValue all{HostSequence{tensor({1, 2}), strings, HostValue{}, map}};
  const HostValue back = to_host(to_ivalue(all));
  const auto& items = std::get<HostSequence>(back.value);
  EXPECT_EQ(std::get<HostTensor>(items[0].value).bytes,
            std::get<HostTensor>(tensor({1, 2}).value).bytes);
  EXPECT_EQ(std::get<HostStrings>(items[1].value).elements, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(items[2].value));
  EXPECT_EQ(std::get<int64_t>(std::get<HostMap>(items[3].value).keys[0]), 7);
}

OutputCheck check(const HostValue& actual, const HostValue& expected) {
  return compare("y", to_ivalue(actual), to_ivalue(expected), {});
}

TEST(Compare, SaysWhereNumbersDiffer) {
  const OutputCheck result = check(tensor({1, 2, 3}), tensor({1, 2.5, 3}));
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(result.max_absolute, 0.5);
  EXPECT_EQ(result.max_relative, 0.2);
  EXPECT_EQ(result.difference, "values: 1 of 3 differ, first at 1: value: expected 2.5, got 2");
}

TEST(Compare, NanAndInfinityEqualThemselves) {
  EXPECT_TRUE(check(tensor({NAN, INFINITY}), tensor({NAN, INFINITY})).passed);
  EXPECT_FALSE(check(tensor({INFINITY}), tensor({-INFINITY})).passed);
}

TEST(Compare, ShapeDtypeAndKindCount) {
  EXPECT_EQ(check(tensor({1, 2}), tensor({1})).difference, "shape: expected [1], got [2]");
  const HostValue wide{HostTensor{"float64", {1}, std::string(8, '\0')}};
  EXPECT_EQ(check(tensor({0}), wide).difference, "dtype: expected float64, got float32");
  EXPECT_EQ(check({}, tensor({1})).difference, "kind: expected a tensor, got nothing");
}

TEST(Compare, EveryCarrierCanBeCompared) {
  for (const char* dtype :
       {"bool",          "uint8",           "int8",        "uint16",          "int16",
        "uint32",        "int32",           "uint64",      "int64",           "float16",
        "bfloat16",      "float32",         "float64",     "complex64",       "complex128",
        "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"}) {
    const HostTensor zeros{dtype, {2}, std::string(2 * c10::elementSize(scalar_type(dtype)), '\0')};
    EXPECT_TRUE(check({zeros}, {zeros}).passed) << dtype;
  }
}

}  // namespace
}  // namespace onnx2fx::runtime
