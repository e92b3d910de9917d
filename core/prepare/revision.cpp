#include "core/prepare/revision.hpp"

#include <onnx/defs/schema.h>

#include <algorithm>
#include <optional>
#include <string>

#include "core/prepare/opsets.hpp"

namespace onnx2fx::prepare {
namespace {

using onnx::AttributeProto;
using onnx::NodeProto;
using onnx::OpSchema;

const OpSchema* schema_of(const NodeProto& node, int64_t opset) {
  return onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(opset), node.domain());
}

template <class Names>
bool is_count(const Names& names, int low, int high) {
  int count = names.size();
  while (count > high && names[count - 1].empty()) --count;
  return count >= low && count <= high;
}

bool takes_operands(const OpSchema& schema, const NodeProto& node) {
  if (!is_count(node.input(), schema.min_input(), schema.max_input()) ||
      !is_count(node.output(), schema.min_output(), schema.max_output()))
    return false;
  const auto& formal = schema.inputs();
  for (int i = 0; i < node.input_size() && i < static_cast<int>(formal.size()); ++i)
    if (node.input(i).empty() && formal[static_cast<size_t>(i)].GetOption() == OpSchema::Single)
      return false;
  return true;
}

bool knows(const OpSchema& schema, const AttributeProto& attribute) {
  if (attribute.name().starts_with("__")) return true;  // reserved for tools
  const auto formal = schema.attributes().find(attribute.name());
  if (formal == schema.attributes().end()) return false;
  return attribute.type() == AttributeProto::UNDEFINED || attribute.type() == formal->second.type;
}

bool has_required(const OpSchema& schema, const NodeProto& node) {
  const auto& given = node.attribute();
  return std::all_of(schema.attributes().begin(), schema.attributes().end(), [&](const auto& f) {
    return !f.second.required ||
           std::any_of(given.begin(), given.end(),
                       [&](const AttributeProto& a) { return a.name() == f.first; });
  });
}

bool takes(const OpSchema& schema, const NodeProto& node) {
  const auto& given = node.attribute();
  return !schema.deprecated() && takes_operands(schema, node) && has_required(schema, node) &&
         std::all_of(given.begin(), given.end(),
                     [&](const AttributeProto& a) { return knows(schema, a); });
}

std::optional<int64_t> later_that_takes(const NodeProto& node, int64_t opset) {
  for (const int64_t newest = newest_opset(node.domain()); opset <= newest; ++opset) {
    const OpSchema* schema = schema_of(node, opset);
    if (schema && takes(*schema, node)) return opset;
  }
  return {};
}

/// The last opset of the nearest earlier revision.
std::optional<int64_t> earlier_that_takes(const NodeProto& node, const OpSchema* schema) {
  while (schema->since_version() > 1) {
    const int64_t opset = schema->since_version() - 1;
    schema = schema_of(node, opset);
    if (!schema) return {};
    if (takes(*schema, node)) return opset;
  }
  return {};
}

/// Is it an input of the operator that the node leaves out?
bool is_open_input(const OpSchema& schema, const NodeProto& node, const std::string& name) {
  const auto& formal = schema.inputs();
  for (size_t i = 0; i < formal.size(); ++i)
    if (formal[i].GetName() == name)
      return static_cast<int>(i) >= node.input_size() || node.input(static_cast<int>(i)).empty();
  return false;
}

/// Is there something that only an earlier revision can mean? An attribute that has no meaning any
/// more is not.
bool is_of_earlier(const OpSchema& schema, const NodeProto& node) {
  const auto& given = node.attribute();
  return schema.deprecated() || !takes_operands(schema, node) ||
         std::all_of(given.begin(), given.end(), [&](const AttributeProto& a) {
           return knows(schema, a) || is_open_input(schema, node, a.name());
         });
}

}  // namespace

int64_t opset_of(const NodeProto& node, int64_t imported) {
  const OpSchema* schema = schema_of(node, imported);
  if (!schema || takes(*schema, node)) return imported;
  if (!schema->deprecated())
    if (const auto later = later_that_takes(node, imported + 1)) return *later;
  if (is_of_earlier(*schema, node))
    if (const auto earlier = earlier_that_takes(node, schema)) return *earlier;
  return imported;
}

}  // namespace onnx2fx::prepare
