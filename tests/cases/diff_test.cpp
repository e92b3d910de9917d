#include "tests/cases/diff.hpp"

#include <gtest/gtest.h>

#include <string>

namespace onnx2fx::cases {
namespace {

TEST(UnifiedDiff, EqualTextsHaveNone) { EXPECT_EQ(unified_diff("a\nb\n", "a\nb\n"), ""); }

TEST(UnifiedDiff, ThreeLinesAround) {
  EXPECT_EQ(unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
            "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

TEST(UnifiedDiff, FarChangesAreApart) {
  const std::string middle = "a\nb\nc\nd\ne\nf\ng\n";
  EXPECT_EQ(unified_diff("1\n" + middle + "2\n", middle + "2\n3\n"),
            "@@ -1,4 +1,3 @@\n-1\n a\n b\n c\n@@ -7,3 +6,4 @@\n f\n g\n 2\n+3\n");
}

TEST(UnifiedDiff, NothingBefore) {
  EXPECT_EQ(unified_diff("", "1\n2\n"), "@@ -1,0 +1,2 @@\n+1\n+2\n");
}

}  // namespace
}  // namespace onnx2fx::cases
