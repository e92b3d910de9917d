// Globs: the cases that tests/python/test_globs.py holds onnx_to_fx and Python's fnmatch against.
#include "core/include/onnx2fx/glob.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace onnx2fx {

TEST(Glob, Cases) {
  std::ifstream in(ONNX2FX_TEST_SOURCES "/globs.json");
  const nlohmann::json cases = nlohmann::json::parse(in);
  EXPECT_GT(cases.size(), 90u);
  for (const auto& c : cases)
    EXPECT_EQ(glob_matches(c[0].get<std::string>(), c[1].get<std::string>()), c[2].get<bool>())
        << c;
}

TEST(Glob, BytesThatAreNoText) {
  EXPECT_TRUE(glob_matches("??", "\xff\xfe"));
  EXPECT_TRUE(glob_matches("a\xff*", "a\xff.w"));
  EXPECT_FALSE(glob_matches("\xff", "\xfe"));
  EXPECT_FALSE(glob_matches("\xc3\xbf", "\xff"));    // U+00FF is not the byte
  EXPECT_TRUE(glob_matches("???", "\xe0\x80\x80"));  // longer than it need be
  EXPECT_TRUE(glob_matches("??", "\xf0\x9f"));       // cut off
  EXPECT_FALSE(glob_matches("[!a]", "\xc3\xa9\xc3"));
}

TEST(Glob, LongNamesTakeNoStackAndLittleTime) {
  const std::string name(1 << 20, 'a');
  EXPECT_TRUE(glob_matches("*a*a*a*", name));
  EXPECT_FALSE(glob_matches("*b", name));
  EXPECT_TRUE(glob_matches(name, name));
}

}  // namespace onnx2fx
