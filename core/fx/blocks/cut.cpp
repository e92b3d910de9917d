#include "core/fx/blocks/cut.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace onnx2fx::fx::blocks {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

/// Looks at nodes, for each node there is, before it is given up.
constexpr uint64_t kMostLooks = 1000;

/// Of all levels together.
struct Work {
  std::vector<uint32_t> marks;  ///< of each node of the whole program; old ones say nothing
  uint32_t mark = 0;
  uint64_t looks_left = 0;
};

/// The nodes of one block, which are about to be gathered into calls of the modules in it.
class Level {
 public:
  Level(const Flat& flat, Work& work, const std::vector<uint32_t>& nodes, size_t depth)
      : flat_(flat), work_(work), depth_(depth) {
    for (const uint32_t n : nodes) {
      const uint32_t unit = static_cast<uint32_t>(units_.size());
      const Scope& scope = flat.scopes[n];
      const uint32_t frame = depth < scope.size() ? scope[depth] : Cut::kRoot;
      if (frame != Cut::kRoot) {
        const auto [at, is_new] = groups_.try_emplace(frame);
        if (is_new) frames_.push_back(frame);
        at->second.push_back(unit);
      }
      units_.push_back({{n}, frame, false});
      order_.push_back(unit);
      places_.push_back(unit);
    }
  }

  std::vector<Cut::Part> parts() {
    for (const uint32_t frame : frames_) gather(frame);
    std::vector<Cut::Part> parts;
    for (const uint32_t u : order_) {
      if (u == kNone) continue;
      if (!units_[u].gathered) {
        parts.push_back({units_[u].nodes[0], nullptr});
        continue;
      }
      auto block = std::make_unique<Cut>();
      block->frame = units_[u].frame;
      block->parts = Level(flat_, work_, units_[u].nodes, depth_ + 1).parts();
      parts.push_back({0, std::move(block)});
    }
    return parts;
  }

 private:
  struct Unit {
    std::vector<uint32_t> nodes;
    uint32_t frame;
    bool gathered;  ///< it is a call
  };

  bool reads(const Unit& unit, uint32_t mark) const {
    bool found = false;
    for (const uint32_t n : unit.nodes)
      for_each_ref(flat_.nodes[n], [&](NodeRef r) { found |= work_.marks[r.index] == mark; });
    return found;
  }

  uint64_t looks(uint32_t unit) const { return unit == kNone ? 1 : units_[unit].nodes.size(); }

  void put(const Unit& unit, uint32_t mark) {
    for (const uint32_t n : unit.nodes) work_.marks[n] = mark;
  }

  void gather(uint32_t frame) {
    std::vector<uint32_t> members = groups_.at(frame);
    std::ranges::sort(members, {}, [&](uint32_t u) { return places_[u]; });
    for (size_t next = 0; next < members.size() && work_.looks_left;)
      next = gather_call(members, next);
  }

  /// One call, of members from `first` on; how far it got.
  size_t gather_call(const std::vector<uint32_t>& members, size_t first) {
    const uint32_t in = ++work_.mark, after = ++work_.mark;
    const uint32_t begin = places_[members[first]];
    std::vector<uint32_t> before, call, behind;
    uint32_t end = begin;
    size_t next = first;
    for (; next < members.size(); end++) {
      const uint32_t u = order_[end];
      work_.looks_left -= std::min<uint64_t>(work_.looks_left, looks(u));
      if (u == kNone) continue;
      const bool is_member = u == members[next], waits = reads(units_[u], after);
      if (is_member && waits) break;
      if (is_member)
        call.push_back(u), put(units_[u], in), next++;
      else if (waits || reads(units_[u], in))
        behind.push_back(u), put(units_[u], after);
      else
        before.push_back(u);
    }
    Unit& whole = units_[call[0]];
    whole.gathered = true;
    for (size_t i = 1; i < call.size(); i++) whole.nodes.push_back(units_[call[i]].nodes[0]);
    uint32_t place = begin;
    const auto set = [&](uint32_t u) { order_[place] = u, places_[u] = place++; };
    std::ranges::for_each(before, set);
    set(call[0]);
    std::ranges::for_each(behind, set);
    std::fill(order_.begin() + place, order_.begin() + end, kNone);
    return next;
  }

  const Flat& flat_;
  Work& work_;
  size_t depth_;
  std::vector<Unit> units_;
  std::vector<uint32_t> order_, places_;  ///< units, and where each stands
  std::vector<uint32_t> frames_;          ///< by first appearance
  std::unordered_map<uint32_t, std::vector<uint32_t>> groups_;
};

uint32_t number(Cut& cut, uint32_t next) {
  cut.number = next++;
  for (Cut::Part& part : cut.parts)
    if (part.block) next = number(*part.block, next);
  cut.last = next - 1;
  return next;
}

}  // namespace

std::optional<Cut> cut_into_blocks(const Flat& flat) {
  std::vector<uint32_t> nodes(flat.nodes.size());
  for (uint32_t i = 0; i < nodes.size(); i++) nodes[i] = i;
  Work work{std::vector<uint32_t>(nodes.size()), 0, kMostLooks * nodes.size()};
  Cut root;
  root.parts = Level(flat, work, nodes, 0).parts();
  if (!work.looks_left) return std::nullopt;
  number(root, 0);
  return root;
}

}  // namespace onnx2fx::fx::blocks
