// How long one call into a plugin may take: no thread can be stopped from outside, so a program
// that must not wait for ever ends itself, with a word on who kept it.
#ifndef ONNX2FX_CORE_PLUGIN_TIME_LIMIT_HPP_
#define ONNX2FX_CORE_PLUGIN_TIME_LIMIT_HPP_

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/plugin/breadcrumb.hpp"

namespace onnx2fx::plugin {

/// While it lives, a call into a plugin by the thread that made it ends the process, with an error
/// and code 3, once it has run for `limit`; calls inside it count by themselves. One a thread.
class TimeLimit {
 public:
  explicit TimeLimit(std::chrono::seconds limit);
  ~TimeLimit();
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;

  /// The call that this thread is in from now on; null: in none.
  static void enter(const Breadcrumb* call);

 private:
  using Clock = std::chrono::steady_clock;
  void watch();

  const std::chrono::seconds limit_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool is_over_ = false;
  const Breadcrumb* call_ = nullptr;
  Clock::time_point since_;
  std::thread watcher_;
};

}  // namespace onnx2fx::plugin

#endif
