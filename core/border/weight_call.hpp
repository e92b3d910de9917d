// One callback of a weight source: the state behind its o2fx_ctx, and the functions that it may
// call meanwhile.
#ifndef ONNX2FX_CORE_BORDER_WEIGHT_CALL_HPP_
#define ONNX2FX_CORE_BORDER_WEIGHT_CALL_HPP_

#include <onnx2fx/plugin.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/plugin/registry.hpp"

namespace onnx2fx::plugin {

class WeightCall {
 public:
  /// O2FX_OK or O2FX_ABSENT; else it throws.
  using OpenFile = std::function<o2fx_status(const std::string& location, o2fx_weight_file& out)>;

  WeightCall(const Plugin& plugin, OpenFile open_file);
  ~WeightCall();
  WeightCall(const WeightCall&) = delete;
  WeightCall& operator=(const WeightCall&) = delete;

  o2fx_ctx token() const { return token_; }
  /// The innermost call of this thread, and only with its own token; else null.
  static WeightCall* active(o2fx_ctx ctx);
  static WeightCall* innermost();

  o2fx_status fail(o2fx_status status, std::string text);
  void* scratch(uint64_t size, uint64_t align);

  const Plugin& plugin;
  OpenFile open_file;
  std::string error;
  o2fx_status error_status = O2FX_OK;
  std::exception_ptr host_error;  ///< what the host itself threw, if that is the latest error
  std::vector<std::pair<int32_t, std::string>> notes;

 private:
  o2fx_ctx token_;
  std::vector<std::unique_ptr<char[]>> blocks_;
};

/// The table that every callback gets, guard slots behind it.
const o2fx_weights_host* weights_host();

}  // namespace onnx2fx::plugin

#endif
