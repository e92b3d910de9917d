// The table behind O2FX_EXT_REFERENCE, judged before it is used: where models are converted and
// where modules run.
#ifndef ONNX2FX_CORE_PLUGIN_REFERENCE_TABLE_HPP_
#define ONNX2FX_CORE_PLUGIN_REFERENCE_TABLE_HPP_

#include <onnx2fx/reference.h>

#include <string>
#include <vector>

namespace onnx2fx::plugin {

struct ReferenceFunction {
  std::string name;
  o2fx_reference_fn compute;
  const void* user;
};

/// Those of a plugin whose table is whole; empty: it has none. `where` is for messages. Throws
/// PluginError with every fault.
std::vector<ReferenceFunction> reference_functions(const o2fx_plugin& table,
                                                   const std::string& where);

}  // namespace onnx2fx::plugin

#endif
