// What a plugin is doing on this thread, and the word that a program says when it crashes there or
// calls exit(): else both would pass in silence.
#ifndef ONNX2FX_CORE_PLUGIN_BREADCRUMB_HPP_
#define ONNX2FX_CORE_PLUGIN_BREADCRUMB_HPP_

#include <onnx2fx/export.hpp>
#include <string>
#include <string_view>

namespace onnx2fx::plugin {

/// Stands around a call into a plugin; they nest.
class Breadcrumb {
 public:
  /// Completes "LIBRARY: crashed ": "while it lowered net.onnx: node 'conv1' (Conv, opset 17)".
  /// id and version: empty while they are not known. library and id outlive this.
  Breadcrumb(std::string_view library, std::string_view id, std::string_view version,
             const std::string& doing);
  ~Breadcrumb();
  Breadcrumb(const Breadcrumb&) = delete;
  Breadcrumb& operator=(const Breadcrumb&) = delete;

  /// Of this thread; null: no plugin is at work. Safe in a signal handler.
  static const Breadcrumb* innermost();

  /// Writes the error to the standard error stream: "error: LIBRARY: BEFORE doing AFTER". Safe in a
  /// signal handler.
  void tell(std::string_view before, std::string_view after) const;

 private:
  std::string_view library_, id_, version_;
  std::string doing_;
  const Breadcrumb* outer_;
};

/// While one lives, a signal that ends the process says first which plugin was at work on the
/// thread. Whatever handled the signal before gets it afterwards.
class ONNX2FX_API CrashReports {
 public:
  CrashReports();
  ~CrashReports();
  CrashReports(const CrashReports&) = delete;
  CrashReports& operator=(const CrashReports&) = delete;
};

/// From here on exit() inside a plugin ends the process with an error and code 3.
ONNX2FX_API void report_exits();

}  // namespace onnx2fx::plugin

#endif
