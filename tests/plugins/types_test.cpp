// What the host knows of values that a pack says nothing of.
#include <gtest/gtest.h>

#include <memory>
#include <onnx2fx/plugin.hpp>
#include <string>

#include "core/fx/print.hpp"
#include "core/include/onnx2fx/convert.hpp"
#include "core/plugin/registry.hpp"
#include "tests/core/models.hpp"

namespace onnx2fx {
namespace {

// A pack whose author forgot everything about types.
void attend(Node& n) {
  const Value scores = n.call("aten::matmul", {n.input(0), n.input(1)});
  n.output(n.call("aten::softmax.int", {n.call("aten::mul.Scalar", {scores, 0.5}), -1}));
}
void longest(Node& n) {
  const Value x = n.input(0);
  const Values top = n.calls(2, "aten::topk", {x, 2, -1});
  n.output(n.call("aten::cat", {Values{top[0], x}, -1}));
}
void own_op(Node& n) { n.output(n.call("acme::own", {n.input(0)})); }
void own_op_stated(Node& n) {
  const Value x = n.input(0);
  n.output(n.state(n.call("acme::own", {x}), n.info(x)));
}
// A reader that is no ONNX operator: nothing but the host can tell it.
void last_axis(Node& n) {
  const Value x = n.input(0);
  n.output(n.call("aten::select.int", {x, n.rank(x) - 1, 0}));
}
void needs_dtype(Node& n) { n.output(n.cast(n.input(0), n.dtype(n.input(0)))); }

// Branches and steps: one body computes on what stands outside, the other on what it is given.
Program branch(Node& n, const char* target, Value outer) {
  n.begin("branch");
  return n.end(Values{n.call(target, {outer})});
}
void choose(Node& n) {
  const Value x = n.input(0), taken = n.call("aten::any", {n.call("aten::gt.Scalar", {x, 0})});
  const std::vector<Program> ways{branch(n, "aten::relu", x), branch(n, "aten::neg", x)};
  n.outputs(n.calls(1, "higher_order::cond", {taken, ways[0], ways[1], n.close(ways)}));
}
void grow(Node& n) {
  const Value x = n.input(0);
  n.begin("body");
  n.placeholder("step", Info::tensor(kInt64, 0));
  const Value alive = n.placeholder("alive", Info::tensor(kBool, 0));
  const Value state = n.placeholder("state", Info::tensor(n.dtype(x), n.rank(x)));
  const Value longer = n.call("aten::cat", {Values{state, state}, 1});
  const Program body = n.end(Values{alive, longer, n.call("aten::sum.dim_IntList", {state, {1}})});
  n.outputs(
      n.calls(2, "onnx2fx::loop", {body, n.in_place(3), nullptr, Values{x}, n.close({body}), 1}));
}
void lies(Node& n) {
  const Value x = n.input(0);
  n.begin("body");
  n.placeholder("step", Info::tensor(kInt64, 0));
  const Value alive = n.placeholder("alive", Info::tensor(kBool, 0));
  const Value state = n.placeholder("state", n.info(x));
  const Program body = n.end(Values{alive, n.call("aten::unsqueeze", {state, 0})});
  n.outputs(
      n.calls(1, "onnx2fx::loop", {body, n.in_place(3), nullptr, Values{x}, n.close({body}), 0}));
}

constexpr o2fx_op kOps[] = {op("Attend", 1, lower<attend>, 0, "x"),
                            op("Choose", 1, lower<choose>, 0, "x"),
                            op("Grow", 1, lower<grow>, 0, "x"),
                            op("LastAxis", 1, lower<last_axis>, 0, "x"),
                            op("Lies", 1, lower<lies>, 0, "x"),
                            op("Longest", 1, lower<longest>, 0, "x"),
                            op("NeedsDtype", 1, lower<needs_dtype>, 0, "x"),
                            op("Own", 1, lower<own_op>, 0, "x"),
                            op("OwnStated", 1, lower<own_op_stated>, 0, "x")};
constexpr o2fx_plugin kPack = plugin_table("x.pack", "1.0.0", kOps, std::size(kOps));

struct Outcome {
  std::string error, type;
};

/// Of "x, w -> y": what is known of y.
Outcome lowered(const std::string& nodes) {
  const std::string text =
      "<ir_version: 8, opset_import: [\"\": 17, \"x\": 1]> "
      "g (float[N, T, 8] x, float[8, M] h) => (float y) { " +
      nodes + " }";
  plugin::Options none;
  none.default_plugins = false;
  plugin::Registry registry(none);
  registry.add(&kPack);
  Outcome outcome;
  outcome.error = test::error_of([&] {
    Options options;
    options.dialect = fx::Dialect::kAten;
    options.allow_unresolved = true;
    const auto bytes = std::make_shared<const std::string>(test::model(text).SerializeAsString());
    const Conversion c = convert(bytes, "net.onnx", "", options, &registry);
    const fx::TypeText& t = c.module.outputs[0].type;
    outcome.type = t.dtype.empty() ? "?" : t.dtype;
    if (!t.shape) return;
    for (const std::string& d : *t.shape) outcome.type += " " + d;
  });
  return outcome;
}

TEST(Types, CallsAreTypedByTheHost) {
  EXPECT_EQ(lowered("y = x.Attend (x, h)").type, "float32 N T M");
  EXPECT_EQ(lowered("y = x.Longest (x)").type, "float32 N T 10");
  EXPECT_EQ(lowered("a = x.Attend (x, h) y = x.LastAxis (a)").type, "float32 N T");
}

TEST(Types, ResultsOfProgramsHaveTheTypesOfTheirBodies) {
  EXPECT_EQ(lowered("y = x.Choose (x)").type, "float32 N T 8");
  EXPECT_EQ(lowered("y, s = x.Grow (x)").type, "float32 N ? 8");
  EXPECT_EQ(lowered("s, y = x.Grow (x)").type, "float32 ? N 8");
}

TEST(Types, OfAPacksOwnOpOnlyThePackKnows) {
  EXPECT_EQ(lowered("y = x.Own (x)").type, "float32");  // as the file says of its output
  EXPECT_EQ(lowered("a = x.OwnStated (x) y = x.LastAxis (a)").type, "float32 N T");
}

TEST(Types, WhoLeftATypeOpenIsSaidWhereItIsMissed) {
  EXPECT_EQ(
      lowered("[make] a = x.Own (x) y = x.LastAxis (a)").error,
      "error: net.onnx: node 'y' (x.LastAxis, opset 1): expected an input of known rank\n"
      "  note: input 0 'a': its type is not known: node 'make' (x.Own) makes it by acme::own, "
      "and plugin x.pack does not state it");
  EXPECT_EQ(lowered("[make] a = x.Own (x) b = x.Attend (a, h) y = x.NeedsDtype (b)").error, "");
}

TEST(Types, AFormalSaysWhatHoldsAtEveryStep) {
  EXPECT_EQ(
      lowered("y = x.Lies (x)").error,
      "error: net.onnx: node 'y' (x.Lies, opset 1): program 'body_1', carried value 0: rank 4 "
      "contradicts the known rank 3; a formal says what is true at every step");
}

}  // namespace
}  // namespace onnx2fx
