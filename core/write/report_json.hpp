// report.json: how a conversion went, node by node, for people and tools.
#ifndef ONNX2FX_CORE_WRITE_REPORT_JSON_HPP_
#define ONNX2FX_CORE_WRITE_REPORT_JSON_HPP_

#include <nlohmann/json_fwd.hpp>
#include <onnx2fx/export.hpp>
#include <string>

#include "core/include/onnx2fx/convert.hpp"

namespace onnx2fx::write {

/// What the report says of the model: equal for the same file with the same inputs and outputs.
nlohmann::ordered_json model(const Conversion& conversion);
nlohmann::ordered_json report(const Conversion& conversion);
ONNX2FX_API std::string report_json(const Conversion& conversion);

}  // namespace onnx2fx::write

#endif
