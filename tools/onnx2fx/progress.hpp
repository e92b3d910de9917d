// What the command is at, on a terminal, where it takes long.
#ifndef ONNX2FX_TOOLS_ONNX2FX_PROGRESS_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_PROGRESS_HPP_

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace onnx2fx::cli {

/// From its second second on, a line on stderr: "converting model.onnx, 3 s"; its end takes the
/// line away. Nothing where stderr is no terminal, or a dumb one.
class Progress {
 public:
  Progress(const std::string& what, bool wanted);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void show();

  std::string what_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace onnx2fx::cli

#endif
