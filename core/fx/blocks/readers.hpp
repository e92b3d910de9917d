// Where each node of a cut program is, and who reads it.
#ifndef ONNX2FX_CORE_FX_BLOCKS_READERS_HPP_
#define ONNX2FX_CORE_FX_BLOCKS_READERS_HPP_

#include "core/fx/blocks/cut.hpp"

namespace onnx2fx::fx::blocks {

class Readers {
 public:
  Readers(const Flat& flat, const Cut& root);

  /// The number of the cut that holds it.
  uint32_t home(uint32_t node) const { return homes_[node]; }
  const std::vector<uint32_t>& of(uint32_t node) const { return readers_[node]; }
  bool inside(const Cut& call, uint32_t node) const { return call.holds(homes_[node]); }
  /// Whether something outside of the call reads the node.
  bool outside(const Cut& call, uint32_t node) const;
  /// A node that was appended; nobody reads it yet.
  void add(uint32_t home);

 private:
  void settle(const Cut& cut);

  std::vector<uint32_t> homes_;
  std::vector<std::vector<uint32_t>> readers_;
};

}  // namespace onnx2fx::fx::blocks

#endif
