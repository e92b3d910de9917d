// A tensor of one element as a scalar, which ATen broadcasts against everything.
#ifndef ONNX2FX_PLUGINS_LOWERING_SCALAR_HPP_
#define ONNX2FX_PLUGINS_LOWERING_SCALAR_HPP_

#include <onnx2fx/plugin.hpp>

namespace onnx2fx {

/// v with rank 0, as it is if it has that already.
inline Value as_scalar(Node& n, Value v) {
  return n.info(v).raw.rank == 0 ? v : n.call("aten::reshape", {v, Ints{}});
}

}  // namespace onnx2fx

#endif
