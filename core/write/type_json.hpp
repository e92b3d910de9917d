// What is known of a value, as JSON documents say it.
#ifndef ONNX2FX_CORE_WRITE_TYPE_JSON_HPP_
#define ONNX2FX_CORE_WRITE_TYPE_JSON_HPP_

#include <nlohmann/json_fwd.hpp>

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::write {

/// {"dtype", "shape"}: null where nothing is known; literal dims are numbers, others texts.
nlohmann::ordered_json type_json(const fx::TypeText& type);

}  // namespace onnx2fx::write

#endif
