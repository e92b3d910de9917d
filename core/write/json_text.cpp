#include "core/write/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace onnx2fx::write {

std::string json(std::string_view text) {
  const bool plain = std::ranges::all_of(
      text, [](unsigned char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; });
  if (!plain)
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string quoted;
  quoted.reserve(text.size() + 2);
  ((quoted += '"') += text) += '"';
  return quoted;
}

std::string json(double number) {
  if (std::isfinite(number)) return nlohmann::json(number).dump();
  const char* name = std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
  return ObjectText().add("float", std::string_view(name)).text();
}

}  // namespace onnx2fx::write
