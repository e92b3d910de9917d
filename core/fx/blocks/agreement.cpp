#include "core/fx/blocks/agreement.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace onnx2fx::fx::blocks {
namespace {

/// Two calls, node by node: what stands for what.
class Comparison {
 public:
  Comparison(const Flat& flat, const Readers& readers, const Cut& a, const Cut& b)
      : flat_(flat), readers_(readers), a_(a), b_(b) {}

  bool holds() { return same(a_, b_); }

 private:
  bool same(const Cut& a, const Cut& b) {
    return a.frame == b.frame &&
           std::ranges::equal(a.parts, b.parts, [&](const Cut::Part& x, const Cut::Part& y) {
             if (!x.block || !y.block) return !x.block && !y.block && same(x.node, y.node);
             return same(*x.block, *y.block);
           });
  }

  bool same(uint32_t i, uint32_t k) {
    Node a = flat_.nodes[i], b = flat_.nodes[k];
    std::vector<uint32_t> reads;
    const auto take_out = [&](NodeRef& r) { reads.push_back(std::exchange(r.index, 0)); };
    for_each_ref(a, take_out);
    const size_t count = reads.size();
    for_each_ref(b, take_out);
    if (a.op != b.op || a.target != b.target || a.args != b.args || a.kwargs != b.kwargs ||
        a.tensor != b.tensor || a.module != b.module ||
        readers_.outside(a_, i) != readers_.outside(b_, k))
      return false;
    for (size_t r = 0; r < count; r++)
      if (!correspond(reads[r], reads[count + r])) return false;
    return correspond(i, k);
  }

  bool correspond(uint32_t i, uint32_t k) {
    return counterparts_.try_emplace(i, k).first->second == k;
  }

  const Flat& flat_;
  const Readers& readers_;
  const Cut &a_, &b_;
  std::unordered_map<uint32_t, uint32_t> counterparts_;
};

void collect(const Cut& cut, std::map<uint32_t, std::vector<const Cut*>>& calls) {
  for (const Cut::Part& part : cut.parts) {
    if (!part.block) continue;
    calls[part.block->frame].push_back(part.block.get());
    collect(*part.block, calls);
  }
}

}  // namespace

void find_disagreements(const Flat& flat, const Cut& root, const Readers& readers, Open& open) {
  std::map<uint32_t, std::vector<const Cut*>> all;
  collect(root, all);
  for (const auto& [frame, calls] : all)
    for (size_t i = 1; i < calls.size(); i++) {
      if (Comparison(flat, readers, *calls[0], *calls[i]).holds()) continue;
      open[flat.frames[frame].path] = "its nodes are computed in " + std::to_string(calls.size()) +
                                      " pieces, which are not the same";
      break;
    }
}

}  // namespace onnx2fx::fx::blocks
