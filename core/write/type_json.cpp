#include "core/write/type_json.hpp"

#include <nlohmann/json.hpp>

namespace onnx2fx::write {
namespace {

using Json = nlohmann::ordered_json;

Json dim(const std::string& text) {
  bool literal = !text.empty() && text.size() < 19 &&
                 text.find_first_not_of("0123456789") == std::string::npos;
  return literal ? Json(std::stoll(text)) : Json(text);
}

Json shape(const fx::TypeText& type) {
  if (!type.shape) return nullptr;
  Json dims = Json::array();
  for (const std::string& d : *type.shape) dims.push_back(dim(d));
  return dims;
}

}  // namespace

Json type_json(const fx::TypeText& type) {
  return {{"dtype", type.dtype.empty() ? Json() : Json(type.dtype)}, {"shape", shape(type)}};
}

}  // namespace onnx2fx::write
