// The table behind O2FX_EXT_WEIGHTS, judged before it is used.
#ifndef ONNX2FX_CORE_PLUGIN_WEIGHT_TABLE_HPP_
#define ONNX2FX_CORE_PLUGIN_WEIGHT_TABLE_HPP_

#include <onnx2fx/plugin.h>

#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/descriptor.hpp"

namespace onnx2fx::plugin {

/// A zero-padded copy of the weights extension of an accepted table; struct_size 0: it has none.
/// `where` is for messages. Throws PluginError with every fault.
o2fx_weights_ext accepted_weights(const o2fx_plugin& table, const std::string& where);

/// The rows of an accepted extension.
std::vector<DescribedScheme> schemes(const o2fx_weights_ext& weights);

}  // namespace onnx2fx::plugin

#endif
