// onnx2fx plugins, onnx2fx ops, onnx2fx plugin check, onnx2fx plugin new. Each returns the exit
// code (0 ok, 3 plugin at fault), prints its answer to stdout, faults and, unless `quiet`, warnings
// to stderr, and lets PluginError through.
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

/// Holds a library against the ABI rules: exports, dependences, run paths and stack from its bytes,
/// then table and descriptor (NAME.onnx2fx.json beside it, if there) in a child process that is
/// killed after the timeout.
int check_plugin(const std::string& library, int timeout_seconds = 10);

/// Writes a pack called `id` ("com.acme.rope-pack") into the new folder `folder`. `templates`: the
/// folder that holds template and template_c. Throws ConversionError if the folder has content or
/// the id is none.
int new_plugin(const std::string& id, bool plain_c, const std::string& folder,
               const std::string& templates);

}  // namespace onnx2fx::cli

#endif
