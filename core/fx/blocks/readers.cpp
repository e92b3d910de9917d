#include "core/fx/blocks/readers.hpp"

#include <algorithm>

namespace onnx2fx::fx::blocks {

Readers::Readers(const Flat& flat, const Cut& root)
    : homes_(flat.nodes.size()), readers_(flat.nodes.size()) {
  settle(root);
  for (uint32_t i = 0; i < flat.nodes.size(); i++)
    for_each_ref(flat.nodes[i], [&](NodeRef r) { readers_[r.index].push_back(i); });
}

bool Readers::outside(const Cut& call, uint32_t node) const {
  return std::ranges::any_of(readers_[node], [&](uint32_t r) { return !inside(call, r); });
}

void Readers::add(uint32_t home) {
  homes_.push_back(home);
  readers_.emplace_back();
}

void Readers::settle(const Cut& cut) {
  for (const Cut::Part& part : cut.parts) {
    if (part.block)
      settle(*part.block);
    else
      homes_[part.node] = cut.number;
  }
}

}  // namespace onnx2fx::fx::blocks
