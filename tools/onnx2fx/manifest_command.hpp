// onnx2fx manifest check.
#ifndef ONNX2FX_TOOLS_ONNX2FX_MANIFEST_COMMAND_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_MANIFEST_COMMAND_HPP_

#include "core/plugin/registry.hpp"

namespace onnx2fx::cli {

/// Reads options.manifest, all that it extends and the descriptors of the plugins; loads none.
/// Every fault of every op set goes to stderr (of options.op_set alone, if one is given), and the
/// effective op sets to stdout if there is none; `json`: both to stdout as well, in any case. The
/// exit code: 0, or 3 with a fault.
int check_manifest(const plugin::Options& options, bool json);

}  // namespace onnx2fx::cli

#endif
