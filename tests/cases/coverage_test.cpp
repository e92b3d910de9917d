// What no golden program shows.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/fx/nn_dialect.hpp"
#include "core/fx/passes.hpp"
#include "core/plugin/registry.hpp"
#include "tests/cases/case.hpp"

namespace onnx2fx::cases {
namespace {

using plugin::ProvidedOp;

std::string text(const ProvidedOp& row) {
  return (row.domain.empty() ? "" : row.domain + ".") + row.op_type + " since " +
         std::to_string(row.since) + " (" + row.provider + ")";
}

std::vector<ProvidedOp> rows() {
  plugin::Options options;
  options.builtin_directory = ONNX2FX_TEST_PLUGINS;
  options.safe_mode = true;
  return plugin::Registry(options).ops();
}

bool lowered(const ProvidedOp& row, const Report::Node& node) {
  return row.domain == node.domain && row.op_type == node.op_type && row.since <= node.opset &&
         (row.until == 0 || node.opset <= row.until) &&
         node.provider.starts_with(row.provider + " ") && node.function_path.empty();
}

/// The texts and report nodes of all cases that convert.
struct Shown {
  std::vector<Report::Node> nodes;
  std::string programs;
};
const Shown& shown() {
  static const Shown kShown = [] {
    Shown s;
    for (const Case& c : all_cases()) {
      if (c.is_refusal()) continue;
      const Outcome outcome = run(c);
      s.nodes.insert(s.nodes.end(), outcome.nodes.begin(), outcome.nodes.end());
      s.programs += outcome.sections;
    }
    return s;
  }();
  return kShown;
}

TEST(Coverage, EveryOperatorRowHasACase) {
  std::map<std::string, std::array<size_t, 2>> figures;  // of a plugin: rows with a case, rows
  for (const ProvidedOp& row : rows()) {
    const bool has_case = std::any_of(shown().nodes.begin(), shown().nodes.end(),
                                      [&](const Report::Node& n) { return lowered(row, n); });
    figures[row.provider][0] += has_case;
    figures[row.provider][1]++;
    EXPECT_TRUE(has_case) << text(row) << ": expected a case, got none";
  }
  for (const auto& [provider, count] : figures)
    std::cout << provider << ": " << count[0] << " of " << count[1] << " rows have a case\n";
}

TEST(Coverage, EveryPassHasACase) {
  std::set<std::string> passes;
  for (const Case& c : all_cases())
    if (c.name.starts_with("passes/")) passes.insert(c.name.substr(7, c.name.find('/', 7) - 7));
  const std::vector<std::string> all = fx::pass_names();
  EXPECT_EQ(passes, std::set<std::string>(all.begin(), all.end()));
}

// Not one for each: some are of overloads that no plugin here writes.
TEST(Coverage, MostNamesOfTheNnDialectHaveACase) {
  size_t count = 0;
  std::string without;
  for (const fx::NnName& name : fx::nn_names()) {
    const bool has_case =
        shown().programs.find("[" + std::string(name.nn) + "]") != std::string::npos;
    count += has_case;
    if (!has_case) without += " " + std::string(name.aten);
  }
  std::cout << count << " of " << fx::nn_names().size() << " names have a case; not so:" << without
            << "\n";
  EXPECT_GE(4 * count, 3 * fx::nn_names().size()) << "without a case:" << without;
}

}  // namespace
}  // namespace onnx2fx::cases
