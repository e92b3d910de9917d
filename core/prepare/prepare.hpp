// Makes a model that was read fit for conversion: normalises it in place and checks its structure;
// every fault is collected.
#ifndef ONNX2FX_CORE_PREPARE_PREPARE_HPP_
#define ONNX2FX_CORE_PREPARE_PREPARE_HPP_

#include <cstdint>
#include <future>
#include <map>
#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/read/model_file.hpp"

namespace onnx2fx::prepare {

/// domain ("" for ai.onnx) -> opset version, of the model or of one function.
using OpsetTable = std::map<std::string, int64_t>;

struct Prepared {
  OpsetTable opsets;                 ///< of the model's graph
  std::vector<Diagnostic> warnings;  ///< unknown opset newer than known, wrong declared types, ...
};

/// Normalises domains ("ai.onnx" -> ""), "?" and "" dim_params (-> none), and sorts the nodes of
/// every graph and function topologically (stable). Checks IR version, opset imports, names (SSA,
/// scopes), cycles, undefined inputs, each node against its ONNX schema (arity, attribute names and
/// types; an op without schema is no fault here), each tensor (dims x dtype = bytes). Throws
/// ConversionError with all faults.
Prepared prepare(read::ModelFile& file);

/// Starts the registration of ONNX's schemas (10 to 20 ms) in the background; a program calls it
/// before it reads its first model. Nothing depends on it but speed. The future waits for the end
/// when it goes, which must be before main does: the schemas are static objects.
[[nodiscard]] std::future<void> warm_up();

/// Opset imports of a function body.
OpsetTable opsets_of(const onnx::FunctionProto& function);

}  // namespace onnx2fx::prepare

#endif
