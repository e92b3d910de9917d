// A diagnostic in the documents of --json.
#ifndef ONNX2FX_TOOLS_ONNX2FX_FAULT_JSON_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_FAULT_JSON_HPP_

#include <nlohmann/json.hpp>

#include "core/include/onnx2fx/diagnostic.hpp"

namespace onnx2fx::cli {

inline nlohmann::ordered_json json(const Diagnostic& d) {
  return {{"severity", d.severity == Severity::kError ? "error" : "warning"},
          {"where", d.where},
          {"what", d.what},
          {"notes", d.notes}};
}

}  // namespace onnx2fx::cli

#endif
