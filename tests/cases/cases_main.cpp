// Every file below tests/cases is a test of its path:
//
//     onnx2fx_case_tests --gtest_filter='*conv*'              compares, and shows a diff
//     onnx2fx_case_tests --rebase [--gtest_filter='*conv*']   rewrites what is expected
#include <gtest/gtest.h>

#include <cstring>
#include <iostream>

#include "tests/cases/case.hpp"
#include "tests/cases/diff.hpp"

namespace onnx2fx::cases {
namespace {

bool rebase = false;

class CaseTest : public testing::Test {
 public:
  explicit CaseTest(const Case& c) : case_(c) {}
  void TestBody() override {
    const Outcome outcome = run(case_);
    const std::string diff = unified_diff(case_.expected, outcome.sections);
    ASSERT_EQ(outcome.refused, case_.is_refusal())
        << case_.path << ": expected a refusal if, and only if, the file is named bad_*\n"
        << diff;
    if (!rebase) {
      EXPECT_EQ(diff, "") << case_.path << ": another program, read on\n" << diff;
    } else if (!diff.empty()) {
      rewrite(case_, outcome);
      std::cout << "rewrote " << case_.path << "\n";
    }
  }

 private:
  const Case& case_;
};

}  // namespace
}  // namespace onnx2fx::cases

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  using onnx2fx::cases::CaseTest;
  onnx2fx::cases::rebase = argc == 2 && std::strcmp(argv[1], "--rebase") == 0;
  if (argc > 1 && !onnx2fx::cases::rebase) {
    std::cerr << "usage: onnx2fx_case_tests [--rebase] [--gtest_filter=...]\n";
    return 2;
  }
  for (const onnx2fx::cases::Case& c : onnx2fx::cases::all_cases())
    testing::RegisterTest("Cases", c.name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [&c]() -> testing::Test* { return new CaseTest(c); });
  return RUN_ALL_TESTS();
}
