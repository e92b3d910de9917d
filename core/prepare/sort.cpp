#include "core/prepare/sort.hpp"

#include <algorithm>
#include <functional>
#include <queue>
#include <unordered_map>
#include <utility>

#include "core/prepare/place.hpp"

namespace onnx2fx::prepare {
namespace {

constexpr size_t kMaxShown = 16;

class Sorter {
 public:
  Sorter(Nodes& nodes, const Scope& scope) : nodes_(nodes), scope_(scope), before_(nodes.size()) {
    for (int i = 0; i < nodes.size(); ++i) {
      for (const std::string& output : nodes[i].output()) {
        if (!output.empty()) maker_.emplace(output, i);
      }
    }
  }

  std::string run() {
    for (int i = 0; i < nodes_.size(); ++i) add_edges(i);
    if (in_order_) return "";
    if (!ambiguous_.empty()) {
      return "nodes are not in order, and value '" + std::string(ambiguous_) +
             "' is defined both here and outside: cannot tell which one is read";
    }
    const std::vector<int> order = ordered();
    if (order.size() < static_cast<size_t>(nodes_.size())) return cycle();
    apply(order);
    return "";
  }

 private:
  void add_edges(int reader) {
    for (const std::string_view name : names_read(nodes_[reader])) {
      const auto found = maker_.find(name);
      if (found == maker_.end() || scope_.names.contains(name)) continue;
      const int maker = found->second;
      if (maker >= reader && scope_.sees(name)) {
        ambiguous_ = name;  // in the order of the file it is the outer value
        continue;
      }
      in_order_ = in_order_ && maker < reader;
      before_[static_cast<size_t>(reader)].push_back(maker);
    }
  }

  /// Kahn's algorithm; always the ready node that comes first in the file.
  std::vector<int> ordered() {
    const auto count = static_cast<size_t>(nodes_.size());
    std::vector<std::vector<int>> after(count);
    std::vector<size_t> waits(count);
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (size_t i = 0; i < count; ++i) {
      for (const int maker : before_[i])
        after[static_cast<size_t>(maker)].push_back(static_cast<int>(i));
      waits[i] = before_[i].size();
      if (waits[i] == 0) ready.push(static_cast<int>(i));
    }
    std::vector<int> order;
    while (!ready.empty()) {
      order.push_back(ready.top());
      ready.pop();
      for (const int reader : after[static_cast<size_t>(order.back())]) {
        if (--waits[static_cast<size_t>(reader)] == 0) ready.push(reader);
      }
    }
    stuck_.assign(count, false);
    for (size_t i = 0; i < count; ++i) stuck_[i] = waits[i] > 0;
    return order;
  }

  /// Each stuck node waits for another stuck one: going back along these must come round.
  std::string cycle() const {
    std::unordered_map<int, size_t> step;
    std::vector<int> path;
    int at = static_cast<int>(std::find(stuck_.begin(), stuck_.end(), true) - stuck_.begin());
    while (step.emplace(at, path.size()).second) {
      path.push_back(at);
      const std::vector<int>& makers = before_[static_cast<size_t>(at)];
      at = *std::find_if(makers.begin(), makers.end(),
                         [&](int maker) { return stuck_[static_cast<size_t>(maker)]; });
    }
    path.erase(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(step[at]));
    std::reverse(path.begin(), path.end());
    // Begin with the node that comes first in the file.
    std::rotate(path.begin(), std::min_element(path.begin(), path.end()), path.end());
    return "cyclic graph: " + text(path);
  }

  std::string text(const std::vector<int>& path) const {
    std::string out;
    for (size_t i = 0; i < path.size() && i < kMaxShown; ++i)
      out += node_name(nodes_[path[i]], path[i]) + " -> ";
    if (path.size() > kMaxShown)
      out += "... (" + std::to_string(path.size() - kMaxShown) + " more) -> ";
    return out + node_name(nodes_[path[0]], path[0]);
  }

  void apply(const std::vector<int>& order) {
    std::vector<onnx::NodeProto*> all(static_cast<size_t>(nodes_.size()));
    nodes_.ExtractSubrange(0, nodes_.size(), all.data());
    for (const int i : order) nodes_.AddAllocated(all[static_cast<size_t>(i)]);
  }

  Nodes& nodes_;
  const Scope& scope_;
  std::unordered_map<std::string_view, int> maker_;
  std::vector<std::vector<int>> before_;  ///< for each node, the makers of what it reads
  std::vector<bool> stuck_;
  std::string_view ambiguous_;
  bool in_order_ = true;
};

}  // namespace

std::string sort(Nodes& nodes, const Scope& scope) { return Sorter(nodes, scope).run(); }

}  // namespace onnx2fx::prepare
