// Lowerings that break the rules of the border: each is told from the others, undone, and reported with its
// plugin's name; none takes the process down but a call into the void.
#include <gtest/gtest.h>

#include <memory>
#include <iostream>
#include <string>
#include <vector>

#include "core/include/onnx2fx/convert.hpp"
#include "tests/core/models.hpp"
#include "tests/plugins/hostile_pack.hpp"

namespace onnx2fx {

namespace {

std::string model_of(const std::string& nodes) {
  return "<ir_version: 8, opset_import: [\"\": 17, \"x\": 1]> g (float[4] a) => (float[4] y) { " + nodes + " }";
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
  const auto bytes = std::make_shared<const std::string>(test::model(model_of(nodes)).SerializeAsString());
  outcome.error = test::error_of([&] {
    Options options;
    options.dialect = fx::Dialect::kAten;
    const Conversion c = convert(bytes, "net.onnx", "", options, &registry);
    for (const fx::Node& n : c.module.programs[0].nodes)
      if (!n.target.empty() && n.target.find("::") != std::string::npos) outcome.targets.push_back(n.target);
    outcome.nodes = c.report.nodes;
  });
  return outcome;
}

std::string refusal(const std::string& op) { return lower("y = x." + op + "(a)").error; }

std::string where(const std::string& op) { return "error: net.onnx: node 'y' (x." + op + ", opset 1): "; }
const std::string kFault = "\n  note: this is a fault of plugin x.hostile 1.0.0";

}  // namespace

using Targets = std::vector<std::string>;

TEST(Dump, All) {
  for (const char* op : {"EndsWhatItDidNotBegin","ForeignProgram","ForeignValue","KeepsAValue","MissingArgument","NestedLists","NoOutput","OddStatus","OpenProgram","OtherThread","OutputTwice","ProgramNotClosed","Recovers","Silent","ThrowsAString","ThrowsAnInt","UndeclaredTarget","UnknownTag","UnknownTarget","UnpacksATensor","UnreadInput","UsesAnEndedValue","ValueOfAProgram","WrongArgument","WrongKeyword","Contested","Nope"})
    std::cout << "## " << op << "\n" << refusal(op) << "\n";
  std::cout << lower("y = x.UnreadAttribute <alpha = 1.0> (a)").error << "\n";
  std::cout << lower("y = x.IgnoredAttribute <alpha = 1.0> (a)").error << "\n";
  std::cout << lower("b = x.KeepsTheCtx(a) y = x.UsesTheKeptCtx(b)").error << "\n";
  std::cout << lower("y = x.OuterBegins <body = b (float[4] p) => (float[4] q) { q = x.UsesTheKeptCtx(p) }> (a)").error << "\n";
  std::cout << lower("b = x.KeepsAValue(a) y = x.UsesTheKeptValue(b)", true).error << "\n";
  const Outcome o = lower("y = x.Contested(a)", true);
  std::cout << o.error << "|"; for (auto& t : o.targets) std::cout << t << " "; for (auto& n : o.nodes) { std::cout << n.provider; for (auto& d : n.declined) std::cout << "; " << d; }
  std::cout << "\n" << second_pack_balance << "\n";
}

}  // namespace onnx2fx
