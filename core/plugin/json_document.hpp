// Descriptors and manifests are read strictly: what nlohmann/json would let pass in silence (a
// duplicate key, a byte order mark, endless nesting) is an error here.
#ifndef ONNX2FX_CORE_PLUGIN_JSON_DOCUMENT_HPP_
#define ONNX2FX_CORE_PLUGIN_JSON_DOCUMENT_HPP_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/read/open_file.hpp"

namespace onnx2fx::plugin {

using Json = nlohmann::ordered_json;

inline constexpr size_t kLargestDocument = size_t{1} << 20;
inline constexpr size_t kDeepestDocument = 32;

/// `file` is for messages. Throws PluginError: syntax, duplicate key, byte order mark, more than 1
/// MiB, deeper than 32.
Json parse_json(std::string_view text, const std::string& file);
/// opened: what was read; null: nobody asks. Throws PluginError if it cannot be read,
/// or as parse_json.
Json read_json(const std::string& file, read::Opened* opened = nullptr);

/// "/a/b~1c": `base` with one more step, escaped as RFC 6901 says.
std::string pointer(const std::string& base, std::string_view key);
inline std::string pointer(const std::string& base, size_t index) {
  return base + "/" + std::to_string(index);
}

}  // namespace onnx2fx::plugin

#endif
