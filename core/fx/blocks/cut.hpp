// Cuts the root program into the author's modules.
#ifndef ONNX2FX_CORE_FX_BLOCKS_CUT_HPP_
#define ONNX2FX_CORE_FX_BLOCKS_CUT_HPP_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "core/fx/blocks/flat.hpp"

namespace onnx2fx::fx::blocks {

/// The root, or one call of a module of the author's.
struct Cut {
  /// In order of execution: a node, or a call.
  struct Part {
    uint32_t node;
    std::unique_ptr<Cut> block;  ///< null: the node
  };
  static constexpr uint32_t kRoot = std::numeric_limits<uint32_t>::max();

  uint32_t frame = kRoot;
  std::vector<Part> parts;
  uint32_t number = 0, last = 0;  ///< its own, and the greatest of the calls inside

  bool holds(uint32_t number_of_cut) const {
    return number <= number_of_cut && number_of_cut <= last;
  }
};

/// Calls `f(uint32_t node)` for each node inside, at any depth, in order.
template <class F>
void for_each_node(const Cut& cut, F&& f) {
  for (const Cut::Part& part : cut.parts) {
    if (part.block)
      for_each_node(*part.block, f);
    else
      f(part.node);
  }
}

/// Nodes of one frame become one call, or several where something else comes between them. Nodes
/// that do not depend on each other may change places; the order stays one of execution. nullopt:
/// the modules lie so far apart in each other that this would take forever.
std::optional<Cut> cut_into_blocks(const Flat& flat);

}  // namespace onnx2fx::fx::blocks

#endif
