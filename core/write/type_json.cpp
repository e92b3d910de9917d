#include "core/write/type_json.hpp"

namespace onnx2fx::write {

static std::string dim(const std::string& text) {
  bool literal = !text.empty() && text.size() < 19 &&
                 text.find_first_not_of("0123456789") == std::string::npos;
  return literal ? json(std::stoll(text)) : json(text);
}

void add_type(ObjectText& object, const fx::TypeText& type) {
  object.add_json("dtype", type.dtype.empty() ? "null" : json(type.dtype))
      .add_json("shape", type.shape ? json(*type.shape, dim) : "null");
}

std::string type_json(const fx::TypeText& type) {
  ObjectText object;
  add_type(object, type);
  return object.text();
}

}  // namespace onnx2fx::write
