// One call into a source of weights, and the table of functions that it may use meanwhile.
#ifndef ONNX2FX_CORE_BORDER_WEIGHT_CALL_HPP_
#define ONNX2FX_CORE_BORDER_WEIGHT_CALL_HPP_

#include <onnx2fx/plugin.h>

#include <functional>
#include <string>

#include "core/border/call.hpp"

namespace onnx2fx::conversion {

class WeightCall final : public Call {
 public:
  /// O2FX_OK or O2FX_ABSENT; else it throws.
  using OpenFile = std::function<o2fx_status(const std::string& location, o2fx_weight_file& out)>;

  WeightCall(const plugin::Plugin& plugin, const std::string& doing, OpenFile open)
      : Call(plugin, doing), open_file(std::move(open)) {}

  const OpenFile open_file;
};

/// Guard slots behind it.
const o2fx_weights_host* weights_host();

}  // namespace onnx2fx::conversion

#endif
