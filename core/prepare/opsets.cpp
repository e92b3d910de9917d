#include "core/prepare/opsets.hpp"

#include <onnx/defs/schema.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace onnx2fx::prepare {

int64_t newest_opset(const std::string& domain) {
  const auto& known = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  const auto found = known.find(domain);
  return found == known.end() ? 0 : found->second.second;
}

std::string domain_name(const std::string& domain) { return domain.empty() ? "ai.onnx" : domain; }

OpsetTable read_imports(const Imports& imports, const std::string& where, Findings& findings) {
  OpsetTable table;
  for (const onnx::OperatorSetIdProto& import : imports) {
    const std::string what = "opset of domain '" + domain_name(import.domain()) + "': ";
    const int64_t version = import.version();
    const int64_t newest = newest_opset(import.domain());
    if (version <= 0 || version > INT32_MAX) {
      const std::string wanted = newest > 0 ? "1 to " + std::to_string(newest) : "1 or more";
      findings.fault(where, what + "expected " + wanted + ", got " + std::to_string(version));
      continue;
    }
    const auto [at, added] = table.emplace(import.domain(), version);
    if (!added && at->second != version) {
      findings.fault(where, what + "it is imported twice, as " + std::to_string(at->second) +
                                " and " + std::to_string(version));
    }
    if (added && newest > 0 && version > newest) {
      findings.warn(
          where,
          what + "expected at most " + std::to_string(newest) + ", got " + std::to_string(version),
          {"the model is newer than this onnx2fx; it is read by the rules of opset " +
           std::to_string(newest)});
    }
  }
  return table;
}

Opsets::Opsets(Imports& imports, std::string where, Findings& findings)
    : imports_(imports),
      where_(std::move(where)),
      findings_(findings),
      table_(read_imports(imports, where_, findings)) {
  // A domain whose version was refused is not missing as well.
  for (const onnx::OperatorSetIdProto& import : imports) reported_.push_back(import.domain());
}

void Opsets::assume_first() {
  if (imports_.empty()) add("", 1);
}

const int64_t* Opsets::of(const onnx::NodeProto& node, const std::string& node_where) {
  const std::string& domain = node.domain();
  if (const auto found = table_.find(domain); found != table_.end()) return &found->second;
  if (std::find(reported_.begin(), reported_.end(), domain) != reported_.end()) return nullptr;
  reported_.push_back(domain);
  const std::string what =
      "opset of domain '" + domain_name(domain) + "': expected a version, got none";
  if (newest_opset(domain) > 0) {
    findings_.fault(where_, what, {"first used by " + node_where.substr(where_.size() + 2)});
    return nullptr;
  }
  findings_.warn(where_, what, {"it is taken to be 1"});
  add(domain, 1);
  return &table_.at(domain);
}

void Opsets::add(const std::string& domain, int64_t version) {
  table_.emplace(domain, version);
  onnx::OperatorSetIdProto* import = imports_.Add();
  import->set_domain(domain);
  import->set_version(version);
}

}  // namespace onnx2fx::prepare
