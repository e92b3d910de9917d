// Lowerings that break the rules of the border: each is told from the others, undone, and reported
// with its plugin's name; none takes the process down but a call into the void.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/include/onnx2fx/convert.hpp"
#include "core/plugin/registry.hpp"
#include "tests/core/models.hpp"
#include "tests/plugins/hostile_pack.hpp"

namespace onnx2fx {

namespace {

std::string model_of(const std::string& nodes) {
  return "<ir_version: 8, opset_import: [\"\": 17, \"x\": 2]> g (float[4] a) => (float[4] y) { " +
         nodes + " }";
}

struct Outcome {
  std::string error;
  std::vector<std::string> targets;
  std::vector<Report::Node> nodes;
};

Outcome lower(const std::string& nodes, bool with_second = false) {
  plugin::Options none;
  none.default_plugins = false;
  plugin::Registry registry(none);
  if (with_second) registry.add(second_pack());
  registry.add(hostile_pack());
  Outcome outcome;
  const auto bytes =
      std::make_shared<const std::string>(test::model(model_of(nodes)).SerializeAsString());
  outcome.error = test::error_of([&] {
    Options options;
    options.dialect = fx::Dialect::kAten;
    const Conversion c = convert(bytes, "net.onnx", "", options, &registry);
    for (const fx::Node& n : c.module.programs[0].nodes)
      if (!n.target.empty() && n.target.find("::") != std::string::npos)
        outcome.targets.push_back(n.target);
    outcome.nodes = c.report.nodes;
  });
  return outcome;
}

std::string refusal(const std::string& op) { return lower("y = x." + op + "(a)").error; }

std::string where(const std::string& op) {
  return "error: net.onnx: node 'y' (x." + op + ", opset 2): ";
}
const std::string kFault = "\n  note: this is a fault of plugin x.hostile 1.0.0";

}  // namespace

using Targets = std::vector<std::string>;

// ---- the return

TEST(Border, ExceptionBecomesAnError) {
  EXPECT_EQ(refusal("ThrowsAString"), where("ThrowsAString") + "out of cheese" + kFault);
}
TEST(Border, UnknownException) {
  EXPECT_EQ(refusal("ThrowsAnInt"), where("ThrowsAnInt") + "unknown exception" + kFault);
}
TEST(Border, ErrorWithoutAText) {
  EXPECT_EQ(refusal("Silent"),
            where("Silent") + "plugin x.hostile returned status -6 without a text" + kFault);
}
TEST(Border, UnknownStatus) {
  EXPECT_EQ(refusal("OddStatus"),
            where("OddStatus") + "plugin x.hostile returned status 77" + kFault);
}
TEST(Border, OutputNotSet) {
  EXPECT_EQ(refusal("NoOutput"),
            where("NoOutput") + "output 0: plugin x.hostile did not set it" + kFault);
}
TEST(Border, OutputSetTwice) {
  EXPECT_EQ(refusal("OutputTwice"), where("OutputTwice") + "output 0: it was set already" + kFault);
}
TEST(Border, InputNotRead) {
  EXPECT_EQ(
      refusal("UnreadInput"),
      where("UnreadInput") + "input 0: it is present, but plugin x.hostile never read it" + kFault);
}
TEST(Border, AttributeNotRead) {
  EXPECT_EQ(lower("y = x.UnreadAttribute <alpha = 1.0> (a)").error,
            where("UnreadAttribute") +
                "attribute 'alpha': it is present, but plugin x.hostile never read it" + kFault);
}
TEST(Border, AttributeIgnoredOnPurpose) {
  const Outcome o = lower("y = x.IgnoredAttribute <alpha = 1.0> (a)");
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.targets, Targets{"aten::relu"});
}

// ---- what is emitted

TEST(Border, UnknownTarget) {
  EXPECT_EQ(refusal("UnknownTarget"),
            where("UnknownTarget") +
                "torch op 'aten::no_such_operator': expected an operator of the ATen table, a "
                "higher-order "
                "operator, or one declared as torch_targets in the plugin's descriptor" +
                kFault);
}
TEST(Border, UnknownTargetNamesTheNearestOrTheOverloads) {
  const auto says = [](const std::string& op, const std::string& target, const std::string& hint) {
    EXPECT_EQ(refusal(op),
              where(op) + "torch op '" + target +
                  "': expected an operator of the ATen table, a higher-order operator, or one "
                  "declared as torch_targets in the plugin's descriptor; " +
                  hint + kFault);
  };
  says("MisspeltTarget", "aten::sigmiod", "did you mean 'aten::sigmoid'?");
  says("NoOverload", "aten::sub", "overloads of 'aten::sub': aten::sub.Scalar, aten::sub.Tensor");
  says("UnqualifiedTarget", "relu", "overloads of 'aten::relu': aten::relu");
  says("TargetInAnotherCase", "aten::Relu", "did you mean 'aten::relu'?");
  says("TargetInPlace", "aten::add_",
       "overloads of 'aten::add': aten::add.Scalar, aten::add.Tensor");
  says("MisspeltWithOverloads", "aten::ad",
       "did you mean one of aten::add.Scalar, aten::add.Tensor?");
  says("MisspeltNumberOperator", "operator::flordiv", "did you mean 'operator::floordiv'?");
  says("MisspeltLeaf", "onnx2fx::strings_concat", "did you mean 'onnx2fx::string_concat'?");
  says("MisspeltHigherOrder", "higher_order::Cond", "did you mean 'higher_order::cond'?");
  says("NoHigherOrder", "higher_order::map_over",
       "of 'higher_order::' there are cond, scan, while_loop");
}
TEST(Border, UndeclaredTarget) {
  EXPECT_EQ(
      refusal("UndeclaredTarget"),
      where("UndeclaredTarget") +
          "torch op 'acme::undeclared': expected an operator of the ATen table, a higher-order "
          "operator, or one declared as torch_targets in the plugin's descriptor" +
          kFault);
}
TEST(Border, CallThatWrites) {
  EXPECT_EQ(refusal("Mutates"), where("Mutates") +
                                    "aten::add_.Tensor: it writes to its argument 'self': expected "
                                    "aten::add.Tensor" +
                                    kFault);
}
TEST(Border, CallThatActsOutsideTheProgram) {
  EXPECT_EQ(refusal("ReadsAFile"),
            where("ReadsAFile") +
                "aten::from_file: it acts outside the program: expected an operator on tensors "
                "alone" +
                kFault);
}
TEST(Border, WrongArgument) {
  EXPECT_EQ(refusal("WrongArgument"),
            where("WrongArgument") +
                "aten::relu: argument 'self': expected Tensor, got a float; "
                "the schema is aten::relu(Tensor self)" +
                kFault);
}
TEST(Border, MissingArgument) {
  EXPECT_EQ(refusal("MissingArgument"),
            where("MissingArgument") +
                "aten::mul.Tensor: argument 'other': expected a value, got none; the schema is "
                "aten::mul.Tensor(Tensor self, Tensor other)" +
                kFault);
}
TEST(Border, WrongKeyword) {
  EXPECT_EQ(refusal("WrongKeyword"),
            where("WrongKeyword") +
                "aten::relu: keyword 'alpha': expected an argument of the schema; "
                "the schema is aten::relu(Tensor self)" +
                kFault);
}
TEST(Border, UnknownArgumentTag) {
  EXPECT_EQ(refusal("UnknownTag"),
            where("UnknownTag") + "emit: args: tag: expected an O2FX_T_*, got 99" + kFault);
}
TEST(Border, EndlesslyNestedList) {
  EXPECT_EQ(refusal("NestedLists"),
            where("NestedLists") + "emit: args: expected lists at most 8 deep" + kFault);
}
TEST(Border, ListWithoutElements) {
  EXPECT_EQ(refusal("ListOfNothing"),
            where("ListOfNothing") + "emit: args: expected 3 elements, got NULL" + kFault);
}
TEST(Border, ConstantOfNegativeDims) {
  EXPECT_EQ(refusal("NegativeDims"),
            where("NegativeDims") + "constant: expected bytes and dims" + kFault);
}
TEST(Border, UnpackingATensor) {
  EXPECT_EQ(refusal("UnpacksATensor"),
            where("UnpacksATensor") +
                "aten::relu: expected n_unpack = 0, as its result is no tuple "
                "or list, got 2" +
                kFault);
}
TEST(Border, OperatorOnNumbersWithWhatItCannotTake) {
  const auto says = [](const std::string& op, const std::string& text) {
    EXPECT_EQ(refusal(op), where(op) + text + kFault);
  };
  says("AddsATensor", "operator::add: argument 0: expected a number, got a tensor");
  says("AddsThree", "operator::add: expected 2 arguments and no keywords, got 3 and 0");
  says("AddsWithAKeyword", "operator::add: expected 2 arguments and no keywords, got 2 and 1");
  says("UnpacksASum",
       "operator::add: expected n_unpack = 0, as its result is no tuple or list, got 2");
  says("UnpacksASize",
       "aten::sym_size.int: expected n_unpack = 0, as its result is no tuple or list, got 2");
  says("ItemOfATensor",
       "operator::getitem: argument 0: expected a sequence, a tuple or a list, got a tensor");
}
TEST(Border, RefusedCallIsForgottenWhenAnotherWayWorks) {
  const Outcome o = lower("y = x.Recovers(a)");
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.targets, Targets{"aten::neg"});
}

// ---- ids

TEST(Border, ForeignValue) {
  EXPECT_EQ(refusal("ForeignValue"),
            where("ForeignValue") + "value id 12345: expected one of this conversion" + kFault);
}
TEST(Border, ForeignProgram) {
  EXPECT_EQ(refusal("ForeignProgram"),
            where("ForeignProgram") + "program_close: expected an ended program" + kFault);
}
TEST(Border, ValueOfAnUndoneTransaction) {
  EXPECT_NE(lower("b = x.KeepsAValue(a) y = x.UsesTheKeptValue(b)", true).error.find(kFault),
            std::string::npos);
}

// ---- sub-programs

TEST(Border, ProgramLeftOpen) {
  EXPECT_EQ(refusal("OpenProgram"),
            where("OpenProgram") + "plugin x.hostile began a program and did not end it" + kFault);
}
TEST(Border, ProgramEndedButNotBegun) {
  EXPECT_EQ(refusal("EndsWhatItDidNotBegin"),
            where("EndsWhatItDidNotBegin") + "program_end: expected a begun program" + kFault);
}
TEST(Border, PartOfTheGraphLoweredOnceMore) {
  const Outcome o = lower("b = x.Recovers(a) c = x.Recovers(b) y = x.Again(b)");
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.targets, (Targets{"aten::neg", "aten::neg"}));
}
TEST(Border, PartThatLeadsNowhere) {
  EXPECT_EQ(refusal("Again"), where("Again") +
                                  "value 'c': expected one that the graph of this node computes "
                                  "from the values named, got none");
}
TEST(Border, PartWithoutNames) {
  EXPECT_EQ(refusal("PartOfNothing"),
            where("PartOfNothing") + "lower_between: from: expected 1 elements, got NULL" + kFault);
}
TEST(Border, OutputFromASubProgram) {
  EXPECT_EQ(refusal("ValueOfAProgram"),
            where("ValueOfAProgram") +
                "output 0: expected a value of the node's own program, got one of a sub-program" +
                kFault);
}
TEST(Border, OutputThatIsANumberFromASubProgram) {
  EXPECT_EQ(refusal("NumberOfAProgram"),
            where("NumberOfAProgram") +
                "output 0: expected a value of the node's own program, got one of a sub-program" +
                kFault);
}
TEST(Border, ValueOfAnEndedProgram) {
  EXPECT_EQ(
      refusal("UsesAnEndedValue"),
      where("UsesAnEndedValue") + "value 'y': it belongs to a program that has ended" + kFault);
}
TEST(Border, ProgramNotClosed) {
  EXPECT_EQ(refusal("ProgramNotClosed"),
            where("ProgramNotClosed") + "program id 1: expected a closed program" + kFault);
}

// ---- the ctx

TEST(Border, CtxKeptForTheNextNode) {
  EXPECT_EQ(lower("b = x.KeepsTheCtx(a) y = x.UsesTheKeptCtx(b)").error,
            where("UsesTheKeptCtx") + "the kept ctx is refused");
}
TEST(Border, CtxKeptBeyondTheConversion) {
  EXPECT_EQ(lower("y = x.KeepsTheCtx(a)").error, "");
  EXPECT_EQ(use_the_kept_ctx(), O2FX_E_INVALID);
}
TEST(Border, CtxOnAnotherThread) {
  EXPECT_EQ(refusal("OtherThread"), where("OtherThread") + "another thread is refused");
}
TEST(Border, OuterCtxWhileANestedLoweringRuns) {
  EXPECT_EQ(lower("y = x.OuterBegins <body = b (float[4] p) => (float[4] q) { q = "
                  "x.UsesTheKeptCtx(p) }> (a)")
                .error,
            "error: net.onnx: node 'q' (x.UsesTheKeptCtx, opset 2): the kept ctx is refused");
}
TEST(BorderDeathTest, SlotBeyondTheTableAbortsWithThePluginsName) {
  EXPECT_DEATH(
      refusal("CallsAGuardSlot"),
      "onnx2fx: plugin 'x.hostile' called host slot 47, which is newer than this host's minor 0");
}

// ---- declining

TEST(Border, DeclineGoesToTheNextProviderAndLeavesNoTrace) {
  const Outcome o = lower("y = x.Contested(a)", true);
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.targets, Targets{"aten::neg"});
  ASSERT_EQ(o.nodes.size(), 1u);
  EXPECT_EQ(o.nodes[0].provider, "x.second 2.0.0");
  EXPECT_EQ(o.nodes[0].declined,
            std::vector<std::string>{"x.hostile declined: after emitting, with a program open"});
}
TEST(Border, DeclinedByAll) {
  EXPECT_EQ(refusal("Contested"),
            where("Contested") +
                "no loaded plugin lowers this operator\n"
                "  note: x.hostile declined: after emitting, with a program open");
}
TEST(Border, InitAndDeinitArePaired) {
  lower("b = x.Contested(a) y = x.Contested(b)", true);
  EXPECT_EQ(second_pack_balance, 0);
}
TEST(Border, LoweringsOfOnePluginRunOneAtATime) {
  const std::string body = "<body = b (float[4] p) => (float[4] q) { q = x.IsAlone(p) }>";
  const auto convert_some = [&](std::string& error) {
    for (int i = 0; i < 5; i++)
      error += lower("b = x.LowersItsBody " + body + " (a) y = x.IsAlone(b)", true).error;
  };
  std::array<std::string, 4> errors;
  std::vector<std::thread> threads;
  threads.reserve(errors.size());
  for (std::string& error : errors) threads.emplace_back([&] { convert_some(error); });
  for (std::thread& t : threads) t.join();
  for (const std::string& error : errors) EXPECT_EQ(error, "");
  EXPECT_EQ(second_pack_balance, 0);
}
TEST(Border, EveryFaultOfAModelIsReported) {
  const std::string error = lower("b = x.NoOutput(a) y = x.Silent(a)").error;
  EXPECT_NE(error.find("did not set it"), std::string::npos) << error;
  EXPECT_NE(error.find("without a text"), std::string::npos) << error;
}

}  // namespace onnx2fx
