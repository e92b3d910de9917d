// Names of values: which are visible where.
#ifndef ONNX2FX_CORE_PREPARE_SCOPE_HPP_
#define ONNX2FX_CORE_PREPARE_SCOPE_HPP_

#include <onnx/onnx_pb.h>

#include <string_view>
#include <unordered_set>
#include <vector>

namespace onnx2fx::prepare {

/// The names that a graph has defined so far, and those of the graphs around it. Views into the
/// model.
struct Scope {
  const Scope* parent = nullptr;
  std::unordered_set<std::string_view> names;

  bool sees(std::string_view name) const {
    for (const Scope* scope = this; scope; scope = scope->parent) {
      if (scope->names.contains(name)) return true;
    }
    return false;
  }
};

/// Names that the node reads: its inputs, and what its subgraphs take from outside. No empty ones.
std::vector<std::string_view> names_read(const onnx::NodeProto& node);

}  // namespace onnx2fx::prepare

#endif
