#include "tests/cases/diff.hpp"

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <vector>

namespace onnx2fx::cases {
namespace {

struct Line {
  char mark;  ///< ' ', '-' or '+'
  std::string text;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Both texts in one sequence, by their longest common subsequence.
std::vector<Line> merged(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::vector<uint32_t>> common(a.size() + 1, std::vector<uint32_t>(b.size() + 1));
  for (size_t i = a.size(); i-- > 0;)
    for (size_t k = b.size(); k-- > 0;)
      common[i][k] =
          a[i] == b[k] ? common[i + 1][k + 1] + 1 : std::max(common[i + 1][k], common[i][k + 1]);
  std::vector<Line> all;
  size_t i = 0, k = 0;
  while (i < a.size() || k < b.size()) {
    if (i < a.size() && k < b.size() && a[i] == b[k]) {
      all.push_back({' ', a[i++]});
      k++;
    } else if (i < a.size() && (k == b.size() || common[i + 1][k] >= common[i][k + 1])) {
      all.push_back({'-', a[i++]});
    } else {
      all.push_back({'+', b[k++]});
    }
  }
  return all;
}

std::string range(char mark, size_t first, size_t count) {
  return std::string(1, mark) + std::to_string(first) + "," + std::to_string(count);
}

}  // namespace

std::string unified_diff(const std::string& before, const std::string& after) {
  constexpr size_t kContext = 3;
  const std::vector<Line> all = merged(lines_of(before), lines_of(after));
  std::vector<bool> shown(all.size());
  for (size_t i = 0; i < all.size(); i++)
    if (all[i].mark != ' ')
      std::fill(shown.begin() + static_cast<ptrdiff_t>(i - std::min(i, kContext)),
                shown.begin() + static_cast<ptrdiff_t>(std::min(all.size(), i + kContext + 1)),
                true);
  std::string text;
  size_t old_line = 1, new_line = 1;
  for (size_t i = 0; i < all.size();) {
    const size_t old_first = old_line, new_first = new_line;
    std::string hunk;
    for (; i < all.size() && shown[i]; i++) {
      hunk += all[i].mark + all[i].text + "\n";
      old_line += all[i].mark != '+';
      new_line += all[i].mark != '-';
    }
    if (!hunk.empty())
      text += "@@ " + range('-', old_first, old_line - old_first) + " " +
              range('+', new_first, new_line - new_first) + " @@\n" + hunk;
    for (; i < all.size() && !shown[i]; i++, old_line++, new_line++) {
    }
  }
  return text;
}

}  // namespace onnx2fx::cases
