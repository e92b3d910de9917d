// The sources of weights that come with the installation, one file each.
#ifndef ONNX2FX_PLUGINS_WEIGHTS_SOURCES_HPP_
#define ONNX2FX_PLUGINS_WEIGHTS_SOURCES_HPP_

#include <memory>
#include <onnx2fx/weights.hpp>

namespace onnx2fx::sources {

/// The model itself.
std::unique_ptr<WeightSource> open_onnx(WeightsHost& host, const o2fx_weight_source& asked);
/// A safetensors file, or the index of a sharded one.
std::unique_ptr<WeightSource> open_safetensors(WeightsHost& host, const o2fx_weight_source& asked);
/// No bytes at all.
std::unique_ptr<WeightSource> open_meta(WeightsHost& host, const o2fx_weight_source& asked);
/// Random numbers for floats; declines other tensors.
std::unique_ptr<WeightSource> open_random(WeightsHost& host, const o2fx_weight_source& asked);

/// Throws Invalid.
void require_no_options(const o2fx_weight_source& asked);

}  // namespace onnx2fx::sources

#endif
