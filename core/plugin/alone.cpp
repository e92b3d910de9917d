#include "core/plugin/alone.hpp"

#include <map>
#include <utility>

namespace onnx2fx::plugin {
namespace {

thread_local Alone* innermost = nullptr;

std::unique_lock<std::mutex> place_in(const Plugin& plugin) {
  if (plugin.table->flags & O2FX_PLUGIN_CONCURRENT) return {};
  static std::mutex& guard = *new std::mutex;
  static auto& places = *new std::map<const o2fx_plugin*, std::mutex>;
  const std::lock_guard lock(guard);
  return std::unique_lock(places[plugin.source], std::defer_lock);
}

}  // namespace

Alone::Alone() : outer_(std::exchange(innermost, this)) {
  if (outer_ && outer_->lock_.mutex()) outer_->lock_.unlock();
}

Alone::Alone(const Plugin& plugin) : Alone() {
  lock_ = place_in(plugin);
  if (lock_.mutex()) lock_.lock();
}

Alone::~Alone() {
  if (lock_.mutex()) lock_.unlock();
  if (outer_ && outer_->lock_.mutex()) outer_->lock_.lock();
  innermost = outer_;
}

}  // namespace onnx2fx::plugin
