// Small models that stand for an exponential amount of work.
#include <gtest/gtest.h>

#include <string>

#include "tests/convert/standard.hpp"

namespace onnx2fx {
namespace {

/// `count` functions, each of which calls the next one twice.
std::string doubling(int count) {
  std::string text =
      "<ir_version: 8, opset_import: [\"\" : 17, \"f\" : 1]> g (float[2] x) => (float[2] y) { y = "
      "f.F1(x) }\n";
  for (int i = 1; i <= count; i++) {
    const std::string next = i < count ? "f.F" + std::to_string(i + 1) : "Relu";
    text += "<opset_import: [\"\" : 17, \"f\" : 1], domain: \"f\"> F" + std::to_string(i) +
            " (a) => (c) { b = " + next + "(a) c = " + next + "(b) }\n";
  }
  return text;
}

/// A Loop of 8 steps in a Loop of 8 steps in ...
std::string nested_loops(int count, int level = 1) {
  const std::string k = std::to_string(level), state = "v" + k, result = "o" + k;
  const std::string inner = level == count
                                ? result + " = Add(" + state + ", " + state + ")"
                                : result + " = Loop (trips, , " + state +
                                      ") <body = " + nested_loops(count, level + 1) + ">";
  return "b" + k + " (int64 i" + k + ", bool c" + k + ", float[2] " + state + ") => (bool d" + k +
         ", float[2] " + result + ") { d" + k + " = Identity(c" + k + ") " + inner + " }";
}

std::string refusal(const std::string& text) {
  return test::error_of([&] { test::convert_proto(test::model(text)); });
}

const std::string kRemedy =
    "\n  note: if the model is meant to become so large, raise the budget: --budget 10, or budget "
    "in the options of an embedder";

TEST(Budget, FunctionsThatCallEachOther) {
  EXPECT_EQ(refusal(doubling(30)),
            "error: net.onnx: expanded bodies: expected at most 26100 from a model of 61 nodes, "
            "got more: function 'f.F30' was expanded 13040 times, into 52160 nodes" +
                kRemedy);
}

TEST(Budget, LoopsInLoops) {
  EXPECT_EQ(refusal("<ir_version: 8, opset_import: [\"\" : 17]> g (float[2] x) => (float[2] y) "
                    "<int64 trips = {8}> { y = Loop (trips, , x) <body = " +
                    nested_loops(13) + "> }"),
            "error: net.onnx: expanded bodies: expected at most 22700 from a model of 27 nodes, "
            "got more: node 'o12' (Loop) was expanded 20169 times, into 60507 nodes" +
                kRemedy);
}

TEST(Budget, FewLargeBodies) {
  std::string chain, last = "v";
  for (int i = 0; i < 60; i++) {
    chain += "t" + std::to_string(i) + " = Sin(" + last + ") ";
    last = "t" + std::to_string(i);
  }
  EXPECT_EQ(refusal("<ir_version: 8, opset_import: [\"\" : 17]> g (float[2] x) => (float[2] y) "
                    "<int64 trips = {64}> { y = Loop (trips, , x) <body = a (int64 i, bool c, "
                    "float[2] u) => (bool d, float[3] w) { d = Identity(c) w = Loop (trips, , u) "
                    "<body = b (int64 j, bool k, float[2] v) => (bool l, float[3] r) { l = "
                    "Identity(k) " +
                    chain + " r = Concat <axis = 0> (v, " + last + ") } > } > }"),
            "error: net.onnx: nodes: expected at most 213000 from a model of 65 nodes, got more: "
            "node 'w' (Loop) was expanded 1731 times, into 212890 nodes" +
                kRemedy);
}

TEST(Budget, IsRaised) {
  const onnx::ModelProto model = test::model(doubling(15));
  EXPECT_EQ(test::error_of([&] { test::convert_proto(model); }),
            "error: net.onnx: expanded bodies: expected at most 23100 from a model of 31 nodes, "
            "got more: function 'f.F15' was expanded 11548 times, into 46188 nodes" +
                kRemedy);
  Options options = test::standard_options();
  options.budget = 2;
  const Conversion c = test::convert_proto(model, options);
  size_t relus = 0;
  for (const fx::Node& node : c.module.programs[0].nodes) relus += node.target == "torch::relu";
  EXPECT_EQ(relus, 32768U);
}

TEST(Budget, KeepGoingEndsToo) {
  Options options = test::standard_options();
  options.keep_going = true;
  EXPECT_EQ(test::error_of([&] { test::convert_proto(test::model(doubling(30)), options); }),
            "error: net.onnx: expanded bodies: expected at most 26100 from a model of 61 nodes, "
            "got more: function 'f.F30' was expanded 13040 times, into 52160 nodes" +
                kRemedy);
}

}  // namespace
}  // namespace onnx2fx
