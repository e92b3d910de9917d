// What `onnx2fx inspect` knows, for machines: report.json (core/write/report_json.hpp) with the
// facts of the model.
#ifndef ONNX2FX_TOOLS_ONNX2FX_INSPECTION_JSON_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_INSPECTION_JSON_HPP_

#include <string>

#include "core/include/onnx2fx/convert.hpp"
#include "tools/onnx2fx/model_facts.hpp"
#include "tools/onnx2fx/operator_counts.hpp"
#include "tools/onnx2fx/symbolic_sizes.hpp"

namespace onnx2fx::cli {

std::string inspection_json(const Conversion& conversion, const ModelFacts& facts,
                            const SymbolicSizes& sizes);

}  // namespace onnx2fx::cli

#endif
