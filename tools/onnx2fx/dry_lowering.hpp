// What becomes of a row of a plugin that is given models of one node, with inputs made up.
#ifndef ONNX2FX_TOOLS_ONNX2FX_DRY_LOWERING_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_DRY_LOWERING_HPP_

#include <onnx2fx/plugin.h>

#include <string>
#include <vector>

namespace onnx2fx::cli {

struct DryLowering {
  std::string row;        ///< "com.acme::Rope since 1"
  std::string outcome;    ///< "lowered with 2 inputs", "refused: WHY", "WHY"
  bool is_fault = false;  ///< of the plugin: no model was lowered, and none refused properly
};

/// Every row, with 1 to 4 inputs and with none, without attributes, by the real host: init before,
/// deinit after. table: as the plugin's entry gave it.
std::vector<DryLowering> lower_dry(const o2fx_plugin* table);

}  // namespace onnx2fx::cli

#endif
