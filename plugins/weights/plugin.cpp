#include "plugins/weights/sources.hpp"

namespace onnx2fx::sources {

void require_no_options(const o2fx_weight_source& asked) {
  if (view(asked.options) != "{}")
    throw Invalid("options: expected none, got " + std::string(view(asked.options)));
}

static std::unique_ptr<WeightSource> open(WeightsHost& host, const o2fx_weight_source& asked) {
  const std::string_view scheme = view(asked.scheme);
  if (scheme == "onnx") return open_onnx(host, asked);
  if (scheme == "safetensors") return open_safetensors(host, asked);
  if (scheme == "meta") return open_meta(host, asked);
  return open_random(host, asked);
}

static constexpr o2fx_str kSafetensors[] = {str(".safetensors"), str(".safetensors.index.json")};
static constexpr o2fx_weight_scheme kSchemes[] = {
    scheme_without_file("onnx"), scheme("safetensors", kSafetensors, 2),
    scheme_without_file("meta"), scheme_without_file("random")};
static constexpr o2fx_weights_ext kWeights = weights<open>(kSchemes);

}  // namespace onnx2fx::sources

ONNX2FX_ENTRY(concurrent(weights_plugin<sources::kWeights>("onnx2fx.weights", ONNX2FX_VERSION)))
