// The op set in force, written out: who lowers which operator at which opsets.
#ifndef ONNX2FX_CORE_PLUGIN_EFFECTIVE_OPS_HPP_
#define ONNX2FX_CORE_PLUGIN_EFFECTIVE_OPS_HPP_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/plugin/choice.hpp"

namespace onnx2fx::plugin {

struct EffectiveOp {
  std::string domain, op_type;
  int32_t since = 1, until = 0;        ///< inclusive; until 0: open end
  std::string provider;                ///< the id of who is asked first; empty: see conflict
  std::optional<Diagnostic> conflict;  ///< why a model that uses it is refused
};

/// Every operator that somebody is asked for, or that is not settled, by domain, name and opset.
std::vector<EffectiveOp> effective_ops(const std::vector<const Provider*>& providers,
                                       const Configuration& configuration);

}  // namespace onnx2fx::plugin

#endif
