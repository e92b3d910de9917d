// What stands in the way of a conversion, collected node by node.
#ifndef ONNX2FX_CORE_CONVERT_FAULTS_HPP_
#define ONNX2FX_CORE_CONVERT_FAULTS_HPP_

#include <string>
#include <vector>

#include "core/convert/place.hpp"
#include "core/include/onnx2fx/convert.hpp"

namespace onnx2fx::conversion {

struct Fault {
  enum class Kind : uint8_t {
    kModel,        ///< the model is wrong
    kUnsupported,  ///< nobody lowers the operator, or the lowering cannot express the node
    kUntyped,      ///< the lowering needs a shape that the model does not give its input
    kAbsent,       ///< a value that the lowering needs lies in a file that does not exist
    kPlugin        ///< a plugin broke the border's rules
  };
  Kind kind = Kind::kModel;
  Diagnostic diagnostic;
  UnsupportedOperator op;  ///< the node's operator, this node alone, and why nobody lowers it

  Fault(Kind kind, const Place& place, const std::string& what,
        std::vector<std::string> reasons = {});
};
using Faults = std::vector<Fault>;

/// Moves `more` behind `all`.
void append(Faults& all, Faults&& more);
/// Nothing but what an opaque node can stand for.
bool can_stay_opaque(const Faults& faults);
/// The operators of the faults, one entry each, added to those that are there.
void add_operators(const Faults& faults, std::vector<UnsupportedOperator>& operators);
/// Throws what fits: PluginError, UnsupportedOperatorError, ConversionError. Equal diagnostics are
/// told once.
[[noreturn]] void throw_faults(const Faults& faults);

}  // namespace onnx2fx::conversion

#endif
