// Calls into one plugin come one after the other, unless it says that it is concurrent.
#ifndef ONNX2FX_CORE_PLUGIN_ALONE_HPP_
#define ONNX2FX_CORE_PLUGIN_ALONE_HPP_

#include <mutex>

#include "core/plugin/registry.hpp"

namespace onnx2fx::plugin {

/// While it lives, this thread is the only one inside the plugin. A call that it makes into a
/// plugin meanwhile, this one or another, gives the place up until it ends: no thread waits for one
/// plugin while it keeps another, and what hangs keeps nobody waiting but users of that plugin.
class Alone {
 public:
  explicit Alone(const Plugin& plugin);
  /// In none.
  Alone();
  ~Alone();
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  std::unique_lock<std::mutex> lock_;  ///< of no mutex: a concurrent plugin
  Alone* outer_;
};

}  // namespace onnx2fx::plugin

#endif
