#include "core/plugin/time_limit.hpp"

#include <unistd.h>

#include <cstdio>
#include <string>

namespace onnx2fx::plugin {

static thread_local TimeLimit* of_this_thread = nullptr;

TimeLimit::TimeLimit(std::chrono::seconds limit) : limit_(limit) {
  of_this_thread = this;
  watcher_ = std::thread([this] { watch(); });
}

TimeLimit::~TimeLimit() {
  of_this_thread = nullptr;
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  ended_.notify_one();
  watcher_.join();
}

void TimeLimit::enter(const Breadcrumb* call) {
  TimeLimit* const limit = of_this_thread;
  if (!limit) return;
  const std::lock_guard lock(limit->mutex_);
  limit->call_ = call;
  limit->since_ = Clock::now();
}

void TimeLimit::watch() {
  std::unique_lock lock(mutex_);
  while (!is_over_) {
    const Clock::time_point due = (call_ ? since_ : Clock::now()) + limit_;
    if (call_ && Clock::now() >= due) {
      call_->tell("did not return ",
                  "expected an answer within " + std::to_string(limit_.count()) + " s, got none");
      std::fflush(nullptr);
      _exit(3);
    }
    ended_.wait_until(lock, due);
  }
}

}  // namespace onnx2fx::plugin
