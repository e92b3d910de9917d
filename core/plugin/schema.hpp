// The checker for descriptors and manifests, by the schema files which editors and CI validate
// with: they are the very rules that the host applies.
#ifndef ONNX2FX_CORE_PLUGIN_SCHEMA_HPP_
#define ONNX2FX_CORE_PLUGIN_SCHEMA_HPP_

#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/json_document.hpp"
#include "core/plugin/schema_rule.hpp"

namespace onnx2fx::plugin {

/// sdk/schema/plugin.schema.json and manifest.schema.json, compiled in.
const Schema& descriptor_schema();
const Schema& manifest_schema();

/// Every fault of the document, each with its JSON pointer, what was expected and found, and the
/// nearest known key. A document of a newer minor version (`version_key` says "1.1", this host
/// knows 1.0) may hold keys that are unknown here: those are warnings.
std::vector<Diagnostic> check(const Json& document, const Schema& schema, const char* version_key,
                              const std::string& file);

/// May it be the id of a plugin?
bool is_id(const std::string& text);

}  // namespace onnx2fx::plugin

#endif
