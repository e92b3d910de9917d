// report.json: how a conversion went, node by node, for people and tools.
#ifndef ONNX2FX_CORE_WRITE_REPORT_JSON_HPP_
#define ONNX2FX_CORE_WRITE_REPORT_JSON_HPP_

#include <onnx2fx/export.hpp>
#include <string>

#include "core/include/onnx2fx/convert.hpp"

namespace onnx2fx::write {

/// What the report says of the model: equal for the same file with the same inputs and outputs.
std::string model_json(const Conversion& conversion);
ONNX2FX_API std::string report_json(const Conversion& conversion);

}  // namespace onnx2fx::write

#endif
