#include "core/plugin/in_use.hpp"

#include <atomic>
#include <map>
#include <mutex>

#include "core/plugin/alone.hpp"
#include "core/plugin/breadcrumb.hpp"

namespace onnx2fx::plugin {

namespace {

/// How many registries of the process have a plugin in use, and how it was told to work.
struct Use {
  size_t count = 0;
  std::string config;
};
struct Uses {
  std::recursive_mutex mutex;  // init may convert
  std::map<const o2fx_plugin*, Use> of;
};
Uses& uses() {
  static Uses& all = *new Uses;  // plugins may be in use until the very end
  return all;
}

}  // namespace

void begin_use(Plugin& plugin, const std::function<void()>& init) {
  if (std::atomic_ref(plugin.initialised).load()) return;
  const Alone in_none;  // an init may convert with the plugin that this thread is in
  const std::lock_guard lock(uses().mutex);
  if (plugin.initialised) return;
  Use& use = uses().of[plugin.source];
  if (use.count > 0 && use.config != plugin.config)
    throw PluginError("plugin '" + plugin.id + "'",
                      "expected the config that it is in use with in this process, " + use.config +
                          ", got " + plugin.config,
                      {"let the other conversion end first"});
  if (use.count == 0) init();
  use.config = plugin.config;
  use.count++;
  std::atomic_ref(plugin.initialised).store(true);
}

void end_use(Plugin& plugin) {
  if (!plugin.initialised) return;
  const std::lock_guard lock(uses().mutex);
  if (--uses().of[plugin.source].count == 0 && plugin.table->deinit) {
    const Breadcrumb crumb(plugin.library, plugin.id, plugin.version, "in deinit");
    plugin.table->deinit();
  }
  plugin.initialised = false;
}

}  // namespace onnx2fx::plugin
