#include "core/plugin/nearest.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace onnx2fx::plugin {

// A letter more, less or another, or two neighbours swapped: one edit each.
static size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before, last, row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); i++) {
    before = std::exchange(last, row);
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); j++) {
      row[j + 1] = std::min({last[j + 1] + 1, row[j] + 1, last[j] + (a[i] != b[j])});
      if (i && j && a[i] == b[j - 1] && a[i - 1] == b[j])
        row[j + 1] = std::min(row[j + 1], before[j - 1] + 1);
    }
  }
  return row[b.size()];
}

std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& known) {
  constexpr size_t kLongest = 128;
  std::optional<std::string> best;
  size_t best_distance = 0;
  if (name.size() > kLongest) return best;
  for (const std::string& k : known) {
    if (k.size() > kLongest) continue;
    const size_t distance = edit_distance(name, k);
    if (distance > std::max<size_t>(1, k.size() / 3)) continue;
    if (!best || distance < best_distance) {
      best = k;
      best_distance = distance;
    }
  }
  return best;
}

std::vector<std::string> did_you_mean(std::string_view name,
                                      const std::vector<std::string>& known) {
  const std::optional<std::string> near = nearest(name, known);
  return near ? std::vector{"did you mean '" + *near + "'?"} : std::vector<std::string>{};
}

}  // namespace onnx2fx::plugin
