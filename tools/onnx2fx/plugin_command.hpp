// onnx2fx plugins, onnx2fx ops. Each returns the exit code (0 ok, 3 plugin at fault), prints its
// answer to stdout, faults and, unless `quiet`, warnings to stderr, and lets PluginError through.
#ifndef ONNX2FX_TOOLS_ONNX2FX_PLUGIN_COMMAND_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_PLUGIN_COMMAND_HPP_

#include <string>

#include "core/plugin/registry.hpp"

namespace onnx2fx::cli {

/// All plugins found, also those that cannot serve, with the reason. Loads none.
int list_plugins(const plugin::Options& options, bool json, bool quiet);

/// All rows that usable plugins offer: domain, op, since, until, provider. With a manifest or op
/// set: who is asked first, at which opsets; what is not settled is a warning, and has no provider.
/// Loads none.
int list_ops(const plugin::Options& options, bool json, bool quiet);

}  // namespace onnx2fx::cli

#endif
