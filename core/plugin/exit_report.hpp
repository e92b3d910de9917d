// What report_exits() promises holds only as long as its handler is the first to run.
#ifndef ONNX2FX_CORE_PLUGIN_EXIT_REPORT_HPP_
#define ONNX2FX_CORE_PLUGIN_EXIT_REPORT_HPP_

namespace onnx2fx::plugin {

/// exit() runs handlers from the last registered to the first, destructors among them: before and
/// after a library brings its own, the report registers once more. Nothing without report_exits().
void renew_exit_report();

}  // namespace onnx2fx::plugin

#endif
