// A node against the schema of its operator: number of inputs and outputs, attributes and their
// types.
#ifndef ONNX2FX_CORE_PREPARE_NODE_CHECK_HPP_
#define ONNX2FX_CORE_PREPARE_NODE_CHECK_HPP_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"

namespace onnx2fx::prepare {

/// Where diagnostics go.
struct Findings {
  std::vector<Diagnostic> faults, warnings;

  void fault(std::string where, std::string what, std::vector<std::string> notes = {}) {
    faults.push_back({Severity::kError, std::move(where), std::move(what), std::move(notes)});
  }
  void warn(std::string where, std::string what, std::vector<std::string> notes = {}) {
    warnings.push_back({Severity::kWarning, std::move(where), std::move(what), std::move(notes)});
  }
};

/// An operator without a schema passes: whether anybody knows it is for the plugins to say.
void check_node(const onnx::NodeProto& node, int64_t opset, const std::string& where,
                Findings& findings);

/// A call of a model-local function.
void check_call(const onnx::NodeProto& node, const onnx::FunctionProto& function,
                const std::string& where, Findings& findings);

}  // namespace onnx2fx::prepare

#endif
