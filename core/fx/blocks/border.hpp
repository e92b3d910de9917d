// What crosses the border of a block: the model's tensors.
#ifndef ONNX2FX_CORE_FX_BLOCKS_BORDER_HPP_
#define ONNX2FX_CORE_FX_BLOCKS_BORDER_HPP_

#include "core/fx/blocks/cut.hpp"

namespace onnx2fx::fx::blocks {

/// Gives each block what it would otherwise be handed and needs not: constants and sizes, which it
/// takes of its own tensors, and masks, indices and views that the exporter computed once for
/// several blocks. Copies are appended to the program; what nothing reads any more is dropped.
void draw_borders(Flat& flat, const Module& module, Cut& root);

}  // namespace onnx2fx::fx::blocks

#endif
