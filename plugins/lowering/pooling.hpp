// Pools.
//
// ATen's pools serve where they mean the same: even padding of at most half a window. Else x is
// padded first, so far that no window hangs over the edge, and pooled without padding. What ATen's
// pools lack (dilated averages, p-norms) is reduced over a view of all windows.
#ifndef ONNX2FX_PLUGINS_LOWERING_POOLING_HPP_
#define ONNX2FX_PLUGINS_LOWERING_POOLING_HPP_

#include <onnx2fx/plugin.hpp>

#include "plugins/lowering/windows.hpp"

namespace onnx2fx {

struct Pool {
  Value x;  // (N, C, ...)
  Windows w;
  bool ceil = false;
};

/// kernel_shape, ceil_mode and what read_windows reads.
Pool read_pool(Node& n, Value x);
bool fits_aten(const Pool& p);

/// The padding at the end with which the last window of ceil_mode is whole. Windows that would
/// start in the padding at the end do not count.
Ints whole_end(Node& n, const Pool& p);
/// A view of x (N, C, ...) as (N, C, windows..., taps...).
Value windows_of(Node& n, Value x, const Windows& w);
/// The axes of the taps in it.
Ints taps(const Windows& w);
/// The extents of x behind the first two.
Ints spatial(Node& n, Value x, size_t axes);

/// The average of each window; padding counts as zeros, or not at all.
Value averaged(Node& n, const Pool& p, bool include_padding);

}  // namespace onnx2fx

#endif
