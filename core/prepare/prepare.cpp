#include "core/prepare/prepare.hpp"

#include <onnx/defs/schema.h>

#include <utility>

#include "core/prepare/node_check.hpp"
#include "core/prepare/normalise.hpp"
#include "core/prepare/opsets.hpp"
#include "core/prepare/structure.hpp"

namespace onnx2fx::prepare {
namespace {

constexpr int64_t kNewestIr = onnx::Version::IR_VERSION;

void check_ir_version(const read::ModelFile& file, Findings& findings) {
  const int64_t version = file.model.ir_version();
  const std::string wanted = "IR version: expected 1 to " + std::to_string(kNewestIr) + ", got ";
  if (!file.model.has_ir_version()) {
    findings.fault(file.name, wanted + "none", {"the file may be something else than a model"});
  } else if (version <= 0) {
    findings.fault(file.name, wanted + std::to_string(version));
  } else if (version > kNewestIr) {
    findings.warn(file.name, wanted + std::to_string(version),
                  {"the model is newer than this onnx2fx"});
  }
}

}  // namespace

Prepared prepare(read::ModelFile& file) {
  Findings findings;
  check_ir_version(file, findings);
  normalise(file.model);
  Opsets opsets(*file.model.mutable_opset_import(), file.name, findings);
  if (file.model.ir_version() < 3) opsets.assume_first();
  check_structure(file, opsets, findings);
  if (file.model.training_info_size() > 0) {
    findings.warn(file.name, "training information: it is not used",
                  {"the module is trained with an optimizer of PyTorch"});
  }
  if (!findings.faults.empty()) throw ConversionError(std::move(findings.faults));
  return {opsets.table(), std::move(findings.warnings)};
}

std::future<void> warm_up() {
  return std::async(std::launch::async, [] { onnx::OpSchemaRegistry::Schema("Identity", 1, ""); });
}

OpsetTable opsets_of(const onnx::FunctionProto& function) {
  OpsetTable table;
  for (const onnx::OperatorSetIdProto& import : function.opset_import()) {
    table.emplace(import.domain() == "ai.onnx" ? "" : import.domain(), import.version());
  }
  return table;
}

}  // namespace onnx2fx::prepare
