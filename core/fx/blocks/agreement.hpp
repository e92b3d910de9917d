// Calls of one module.
#ifndef ONNX2FX_CORE_FX_BLOCKS_AGREEMENT_HPP_
#define ONNX2FX_CORE_FX_BLOCKS_AGREEMENT_HPP_

#include "core/fx/blocks/cut.hpp"
#include "core/fx/blocks/readers.hpp"

namespace onnx2fx::fx::blocks {

/// Adds the paths whose calls do not compute the same: no one block can serve them all.
void find_disagreements(const Flat& flat, const Cut& root, const Readers& readers, Open& open);

}  // namespace onnx2fx::fx::blocks

#endif
