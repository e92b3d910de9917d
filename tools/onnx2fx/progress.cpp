#include "tools/onnx2fx/progress.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"

namespace onnx2fx::cli {

static bool is_terminal() {
  const char* kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) && kind && *kind && std::string_view(kind) != "dumb";
}

Progress::Progress(const std::string& what, bool wanted) : what_(printable(what)) {
  if (wanted && is_terminal()) thread_ = std::thread([this] { show(); });
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

void Progress::show() {
  constexpr std::string_view kWholeLine = "\r\033[K";
  std::unique_lock lock(mutex_);
  for (int seconds = 1;; seconds++) {
    if (ended_.wait_for(lock, std::chrono::seconds(1), [this] { return is_over_; })) {
      if (seconds > 1) std::cerr << kWholeLine << std::flush;
      return;
    }
    std::cerr << kWholeLine << what_ << ", " << seconds << " s" << std::flush;
  }
}

}  // namespace onnx2fx::cli
