#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <string>

#include "core/runtime/callables.hpp"
#include "core/runtime/coerce.hpp"
#include "core/runtime/number_text.hpp"
#include "core/runtime/strings.hpp"
#include "tests/runtime/program_builder.hpp"

namespace onnx2fx::runtime {
namespace {

using fx::List;
using Texts = std::vector<std::string>;

// The leaf applied to run-time inputs, then to literals.
c10::IValue apply(const std::string& leaf, std::vector<c10::IValue> inputs, List literals = {}) {
  ModuleBuilder module;
  ProgramBuilder root("root");
  List arguments;
  for (size_t i = 0; i < inputs.size(); i++)
    arguments.push_back(root.placeholder("x" + std::to_string(i)));
  arguments.insert(arguments.end(), literals.begin(), literals.end());
  return module.build(root.output(root.call("onnx2fx::" + leaf, std::move(arguments))))
      ->forward(std::move(inputs))[0];
}

c10::IValue texts(Texts items) {
  const int64_t count = static_cast<int64_t>(items.size());
  return make_strings({count}, std::move(items));
}

TEST(Strings, EqualBroadcasts) {
  const c10::IValue same =
      apply("strings_equal", {make_strings({2, 1}, {"a", "b"}), texts({"a", "b", "c"})});
  EXPECT_EQ(same.toTensor().sizes(), (at::IntArrayRef{2, 3}));
  EXPECT_EQ(values_of(same.toTensor()), (std::vector<float>{1, 0, 0, 0, 1, 0}));
}

TEST(Strings, ConcatJoinsElementByElement) {
  EXPECT_EQ(to_strings(apply("string_concat", {texts({"a", "b"}), texts({"x"})})).elements,
            (Texts{"ax", "bx"}));
}

TEST(Strings, SplitFillsUp) {
  const c10::IValue result =
      apply("string_split", {texts({"a,b", "c"})}, {std::string(","), int64_t{-1}});
  const auto parts = elements(result);
  EXPECT_EQ(to_strings(parts[0]).dims, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(to_strings(parts[0]).elements, (Texts{"a", "b", "c", ""}));
  EXPECT_EQ(values_of(parts[1].toTensor()), (std::vector<float>{2, 1}));
}

TEST(Strings, SplitAtSpacesLeavesTheRestWhole) {
  const c10::IValue result = apply("string_split", {texts({" a  b c "})}, {{}, int64_t{1}});
  EXPECT_EQ(to_strings(elements(result)[0]).elements, (Texts{"a", "b c "}));
}

TEST(Strings, NormalizeDropsStopwordsAndChangesCase) {
  const c10::IValue result = apply("string_normalize", {texts({"Monday", "tuesday"})},
                                   {List{std::string("monday")}, false, std::string("UPPER")});
  EXPECT_EQ(to_strings(result).elements, (Texts{"TUESDAY"}));
}

TEST(Strings, NormalizeRefusesCasesItDoesNotKnow) {
  EXPECT_EQ(error_of([] {
              apply("string_normalize", {texts({"É"})}, {List{}, true, std::string("LOWER")});
            }),
            "error: node 'n1' (onnx2fx::string_normalize): expected ASCII text, got 'É'");
}

TEST(Strings, LookupFindsTheFirstPlace) {
  const List pool{List{std::string("a"), std::string("b"), std::string("a"), std::string("c")}};
  EXPECT_EQ(values_of(apply("strings_lookup", {texts({"c", "a", "x"})}, pool).toTensor()),
            (std::vector<float>{3, 0, -1}));
}

TEST(Strings, RegexMatchesTheWholeText) {
  const c10::IValue matches = apply("regex_full_match", {texts({"www.onnx.ai", "onnx"})},
                                    {std::string("www\\.\\w+\\.(ai|org)")});
  EXPECT_EQ(values_of(matches.toTensor()), (std::vector<float>{1, 0}));
  EXPECT_NE(error_of([] { apply("regex_full_match", {texts({"a"})}, {std::string("(?i)a")}); }),
            "");
}

TEST(NumberText, IsWhatPythonWrites) {
  EXPECT_EQ(python_repr(1), "1.0");
  EXPECT_EQ(python_repr(1e16), "1e+16");
  EXPECT_EQ(python_repr(1e-5), "1e-05");
  EXPECT_EQ(python_repr(-123.25), "-123.25");
  EXPECT_EQ(python_repr(0.001), "0.001");
  EXPECT_EQ(number_text(static_cast<double>(0.1f), at::kFloat), "0.1");
  EXPECT_EQ(number_text(static_cast<double>(3.1415927f), at::kFloat), "3.1415927");
  EXPECT_EQ(number_text(INFINITY, at::kFloat), "inf");
}

TEST(NumberText, RefusesWhatIsNoNumber) {
  EXPECT_EQ(parse_real(" +1e3 "), 1000);
  EXPECT_TRUE(std::isnan(parse_real("NaN")));
  EXPECT_THROW(parse_real("1,5"), c10::Error);
}

TEST(Sequences, InsertAndEraseCountFromBothEnds) {
  const c10::IValue two = sequence({floats({1}, {1}), floats({2}, {1})});
  const auto inserted = elements(apply("sequence_insert", {two, floats({9}, {1})}, {int64_t{-1}}));
  EXPECT_EQ(values_of(inserted[1].toTensor()), (std::vector<float>{9}));
  EXPECT_EQ(elements(apply("sequence_erase", {two}, {List::value_type{}})).size(), 1u);
  EXPECT_EQ(apply("sequence_length", {two}).toInt(), 2);
}

TEST(Sequences, PositionBeyondTheEndIsRefused) {
  EXPECT_EQ(error_of([] { apply("sequence_erase", {sequence({floats({1}, {1})})}, {int64_t{1}}); }),
            "error: node 'n1' (onnx2fx::sequence_erase): position: expected one in [-1, 0], got 1");
}

TEST(Optionals, KnowWhetherTheyHold) {
  EXPECT_FALSE(apply("optional_has_element", {c10::IValue()}).toTensor().item<bool>());
  EXPECT_EQ(error_of([] { apply("optional_get_element", {c10::IValue()}); }),
            "error: node 'n1' (onnx2fx::optional_get_element): expected an element, got none");
}

}  // namespace
}  // namespace onnx2fx::runtime
