// What changed between two texts, as a unified diff.
#ifndef ONNX2FX_TESTS_CASES_DIFF_HPP_
#define ONNX2FX_TESTS_CASES_DIFF_HPP_

#include <string>

namespace onnx2fx::cases {

/// "@@ -1,4 +1,5 @@" hunks with three lines of context; empty when the texts are equal.
std::string unified_diff(const std::string& before, const std::string& after);

}  // namespace onnx2fx::cases

#endif
