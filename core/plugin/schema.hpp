// The checker for descriptors and manifests: the part of JSON Schema (draft 7) that sdk/schema
// uses, so that the schema files which editors and CI validate with are the very rules that the
// host applies.
#ifndef ONNX2FX_CORE_PLUGIN_SCHEMA_HPP_
#define ONNX2FX_CORE_PLUGIN_SCHEMA_HPP_

#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/json_document.hpp"

namespace onnx2fx::plugin {

/// sdk/schema/plugin.schema.json and manifest.schema.json, compiled in.
const Json& descriptor_schema();
const Json& manifest_schema();

/// Every fault of the document, each with its JSON pointer, what was expected and found, and the
/// nearest known key. A document of a newer minor version (`version_key` says "1.1", this host
/// knows 1.0) may hold keys that are unknown here: those are warnings.
std::vector<Diagnostic> check(const Json& document, const Json& schema, const char* version_key,
                              const std::string& file);

/// May it be the id of a plugin?
bool is_id(const std::string& text);

/// A float with an integral value is an integer too, as in JSON Schema.
bool is_integer(const Json& value);

}  // namespace onnx2fx::plugin

#endif
