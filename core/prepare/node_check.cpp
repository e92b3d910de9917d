#include "core/prepare/node_check.hpp"

#include <onnx/checker.h>
#include <onnx/defs/schema.h>

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "core/prepare/revision.hpp"

namespace onnx2fx::prepare {
namespace {

using onnx::AttributeProto;
using onnx::NodeProto;
using onnx::OpSchema;

std::string type_name(AttributeProto::AttributeType type) {
  return AttributeProto::AttributeType_Name(type);
}

std::string range_text(int low, int high) {
  if (high == std::numeric_limits<int>::max()) return "at least " + std::to_string(low);
  return low == high ? std::to_string(low) : std::to_string(low) + " to " + std::to_string(high);
}

bool is_list(AttributeProto::AttributeType type) {
  switch (type) {
    case AttributeProto::FLOATS:
    case AttributeProto::INTS:
    case AttributeProto::STRINGS:
    case AttributeProto::TENSORS:
    case AttributeProto::GRAPHS:
    case AttributeProto::SPARSE_TENSORS:
    case AttributeProto::TYPE_PROTOS:
      return true;
    default:
      return false;
  }
}

/// Messages have no default to fall back to, numbers and strings do.
bool lacks_value(const AttributeProto& a) {
  switch (a.type()) {
    case AttributeProto::TENSOR:
      return !a.has_t();
    case AttributeProto::GRAPH:
      return !a.has_g();
    case AttributeProto::SPARSE_TENSOR:
      return !a.has_sparse_tensor();
    case AttributeProto::TYPE_PROTO:
      return !a.has_tp();
    default:
      return false;
  }
}

class NodeCheck {
 public:
  NodeCheck(const NodeProto& node, const OpSchema& schema, const std::string& where,
            Findings& findings)
      : node_(node), schema_(schema), where_(where), findings_(findings) {}

  void run() {
    const size_t before = findings_.faults.size();
    arity("inputs", node_.input(), schema_.min_input(), schema_.max_input());
    arity("outputs", node_.output(), schema_.min_output(), schema_.max_output());
    required_inputs();
    attributes();
    if (findings_.faults.size() == before) verify();
  }

 private:
  template <class Names>
  void arity(const char* what, const Names& names, int low, int high) {
    int count = names.size();
    while (count > high && names[count - 1].empty()) --count;
    tolerated_ = tolerated_ || count != names.size();
    if (count >= low && count <= high) return;
    findings_.fault(where_, std::string(what) + ": expected " + range_text(low, high) + ", got " +
                                std::to_string(count));
  }

  void required_inputs() {
    const auto& formal = schema_.inputs();
    for (int i = 0; i < node_.input_size() && i < static_cast<int>(formal.size()); ++i) {
      const auto& parameter = formal[static_cast<size_t>(i)];
      if (!node_.input(i).empty() || parameter.GetOption() != OpSchema::Single) continue;
      findings_.fault(where_, "input " + std::to_string(i) + " (" + parameter.GetName() +
                                  "): expected a value, got none");
    }
    // An output that nobody wants is no fault, even where the schema has no way to leave it out.
    for (const std::string& output : node_.output()) tolerated_ = tolerated_ || output.empty();
  }

  void attributes() {
    std::unordered_set<std::string_view> seen;
    for (const AttributeProto& attribute : node_.attribute()) {
      if (seen.insert(attribute.name()).second) {
        attribute_type(attribute);
      } else {
        findings_.fault(where_, "attribute '" + attribute.name() + "': it is given twice");
      }
    }
    for (const auto& [name, formal] : schema_.attributes()) {
      if (!formal.required || seen.contains(name)) continue;
      missing_.push_back("attribute '" + name + "': expected " + type_name(formal.type) +
                         ", got none");
    }
    std::sort(missing_.begin(), missing_.end());  // the schema's own order is that of a hash table
    for (const std::string& what : missing_) findings_.fault(where_, what);
  }

  void attribute_type(const AttributeProto& attribute) {
    const auto formal = schema_.attributes().find(attribute.name());
    if (formal == schema_.attributes().end()) {
      if (attribute.name().starts_with("__")) return;  // reserved for tools
      tolerated_ = true;
      findings_.warn(where_,
                     "attribute '" + attribute.name() + "': the operator has none of that name");
      return;
    }
    const AttributeProto::AttributeType expected = formal->second.type;
    if (attribute.type() == AttributeProto::UNDEFINED && is_list(expected) &&
        attribute.ref_attr_name().empty()) {
      tolerated_ = true;  // IR 1: an empty list
      return;
    }
    if (attribute.type() != expected) {
      findings_.fault(where_, "attribute '" + attribute.name() + "': expected " +
                                  type_name(expected) + ", got " + type_name(attribute.type()));
    } else if (lacks_value(attribute) && attribute.ref_attr_name().empty()) {
      findings_.fault(where_, "attribute '" + attribute.name() + "': expected " +
                                  type_name(expected) + ", got none");
    }
  }

  /// ONNX's own check, for the rules that the schema does not show (input counts of some
  /// operators).
  void verify() {
    try {
      if (tolerated_) {
        schema_.Verify(cleaned());
      } else {
        schema_.Verify(node_);
      }
    } catch (const onnx::checker::ValidationError& error) {
      const std::string what = error.what();
      findings_.fault(where_, what.substr(0, what.find('\n')));
    }
  }

  NodeProto cleaned() const {
    NodeProto node = node_;
    node.clear_attribute();
    for (const AttributeProto& attribute : node_.attribute()) {
      const auto formal = schema_.attributes().find(attribute.name());
      if (formal == schema_.attributes().end()) continue;
      AttributeProto* copy = node.add_attribute();
      *copy = attribute;
      copy->set_type(formal->second.type);
    }
    while (node.input_size() > schema_.max_input()) node.mutable_input()->RemoveLast();
    while (node.output_size() > schema_.max_output()) node.mutable_output()->RemoveLast();
    for (std::string& output : *node.mutable_output()) {
      if (output.empty()) output = "_";
    }
    return node;
  }

  const NodeProto& node_;
  const OpSchema& schema_;
  const std::string& where_;
  Findings& findings_;
  std::vector<std::string> missing_;
  bool tolerated_ = false;  ///< something that ONNX refuses and we do not
};

const OpSchema* schema_of(const NodeProto& node, int64_t opset) {
  return onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(opset), node.domain());
}

std::string removed_in(const OpSchema& schema) {
  return "the operator was removed from ONNX in opset " + std::to_string(schema.since_version());
}

/// What its own revision says against a node that another one reads.
void warn_of(const NodeProto& node, const OpSchema& schema, const std::string& where, int64_t opset,
             Findings& findings) {
  const std::string note = "it is read by the rules of opset " + std::to_string(opset);
  Findings own;
  if (schema.deprecated()) {
    own.warn(where, removed_in(schema));
  } else {
    NodeCheck(node, schema, where, own).run();
  }
  for (const auto* found : {&own.faults, &own.warnings})
    for (const Diagnostic& d : *found) findings.warn(where, d.what, {note});
}

}  // namespace

void check_node(const NodeProto& node, int64_t opset, const std::string& where,
                Findings& findings) {
  const OpSchema* schema = schema_of(node, opset);
  if (!schema) return;
  if (const int64_t other = opset_of(node, opset); other != opset) {
    warn_of(node, *schema, where, other, findings);
    schema = schema_of(node, other);
  }
  if (schema->deprecated()) return findings.warn(where, removed_in(*schema));
  NodeCheck(node, *schema, where, findings).run();
}

void check_call(const NodeProto& node, const onnx::FunctionProto& function,
                const std::string& where, Findings& findings) {
  const auto count = [&](const char* what, int high, int got) {
    if (got <= high) return;
    findings.fault(where, std::string(what) + ": expected at most " + std::to_string(high) +
                              ", got " + std::to_string(got));
  };
  count("inputs", function.input_size(), node.input_size());
  count("outputs", function.output_size(), node.output_size());
  std::unordered_set<std::string_view> known(function.attribute().begin(),
                                             function.attribute().end());
  for (const AttributeProto& attribute : function.attribute_proto()) known.insert(attribute.name());
  std::unordered_set<std::string_view> seen;
  for (const AttributeProto& attribute : node.attribute()) {
    if (!seen.insert(attribute.name()).second) {
      findings.fault(where, "attribute '" + attribute.name() + "': it is given twice");
    } else if (!known.contains(attribute.name())) {
      findings.warn(where,
                    "attribute '" + attribute.name() + "': the function has none of that name");
    }
  }
}

}  // namespace onnx2fx::prepare
