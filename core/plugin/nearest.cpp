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

static std::string lower_case(std::string_view s) {
  std::string r(s);
  for (char& c : r)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return r;
}

std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& known) {
  constexpr size_t kLongest = 128;
  std::optional<std::string> best;
  std::pair<size_t, size_t> best_distance;  // blind to case, and not
  if (name.size() > kLongest) return best;
  const std::string lower_name = lower_case(name);
  for (const std::string& k : known) {
    if (k.size() > kLongest) continue;
    const size_t blind = edit_distance(lower_name, lower_case(k));
    if (blind > std::max<size_t>(1, k.size() / 3)) continue;
    const std::pair distance(blind, edit_distance(name, k));
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
