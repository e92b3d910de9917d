// What an operator that no plugin knows may have meant.
#ifndef ONNX2FX_CORE_PLUGIN_SIMILAR_OPERATOR_HPP_
#define ONNX2FX_CORE_PLUGIN_SIMILAR_OPERATOR_HPP_

#include <optional>
#include <string>
#include <vector>

#include "core/plugin/choice.hpp"

namespace onnx2fx::plugin {

/// The name in another letter case, the same name in another domain, or the nearest name of its
/// domain: "did you mean 'Relu'?", "did you mean 'Gelu' of domain 'com.microsoft'?". Usable plugins
/// count; nullopt also if one has the operator itself.
std::optional<std::string> similar_operator(const std::vector<const Provider*>& providers,
                                            const std::string& domain, const std::string& op_type);

}  // namespace onnx2fx::plugin

#endif
