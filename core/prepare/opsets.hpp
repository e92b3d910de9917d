// Which operator set versions a model or a function imports.
#ifndef ONNX2FX_CORE_PREPARE_OPSETS_HPP_
#define ONNX2FX_CORE_PREPARE_OPSETS_HPP_

#include <onnx/onnx_pb.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/prepare/node_check.hpp"
#include "core/prepare/prepare.hpp"

namespace onnx2fx::prepare {

using Imports = google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>;

/// The newest opset that ONNX's library knows; 0: the domain is not ONNX's.
int64_t newest_opset(const std::string& domain);
/// "ai.onnx" for "".
std::string domain_name(const std::string& domain);
/// The table of imports; versions that cannot be, and a domain imported twice, become faults at
/// `where`.
OpsetTable read_imports(const Imports& imports, const std::string& where, Findings& findings);

/// The opsets of one scope, completed while its nodes are walked.
class Opsets {
 public:
  Opsets(Imports& imports, std::string where, Findings& findings);

  /// For a model of IR 1 or 2, which cannot import: opset 1.
  void assume_first();
  /// Opset of a node. A domain that nobody imported is a fault if it is one of ONNX's (once);
  /// another gets version 1, which is added to the imports. Null: there is none.
  const int64_t* of(const onnx::NodeProto& node, const std::string& node_where);
  const OpsetTable& table() const { return table_; }

 private:
  void add(const std::string& domain, int64_t version);

  Imports& imports_;
  std::string where_;
  Findings& findings_;
  OpsetTable table_;
  std::vector<std::string> reported_;
};

}  // namespace onnx2fx::prepare

#endif
