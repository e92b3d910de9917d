// What is known of a value, as JSON documents say it.
#ifndef ONNX2FX_CORE_WRITE_TYPE_JSON_HPP_
#define ONNX2FX_CORE_WRITE_TYPE_JSON_HPP_

#include <string>

#include "core/include/onnx2fx/program.hpp"
#include "core/write/json_text.hpp"

namespace onnx2fx::write {

/// {"dtype", "shape"}: null where nothing is known; literal dims are numbers, others texts.
std::string type_json(const fx::TypeText& type);
/// The same as members of another object.
void add_type(ObjectText& object, const fx::TypeText& type);

}  // namespace onnx2fx::write

#endif
