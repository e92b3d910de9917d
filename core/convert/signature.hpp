// What PyTorch's exporter says of its model's weights: the ExportedProgram's graph signature, which
// it leaves in the graph's metadata, the kind of each initializer in its value info, and there,
// too, what its optimiser (onnxscript's) computed of others.
#ifndef ONNX2FX_CORE_CONVERT_SIGNATURE_HPP_
#define ONNX2FX_CORE_CONVERT_SIGNATURE_HPP_

#include <onnx/onnx_pb.h>

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace onnx2fx::conversion {

/// The text of the FX node that the exporter made the node of; empty: it does not say.
std::string_view fx_node_of(const onnx::NodeProto& node);

class Signature {
 public:
  enum class Kind : uint8_t { kParameter, kPersistentBuffer, kBuffer, kConstant };
  struct Entry {
    Kind kind;
    std::string target;  ///< in the original module: "encoder.layer.0.weight"
  };

  /// A value that the exporter's optimiser computed while it exported.
  struct Folded {
    std::vector<const Entry*> parameters;  ///< that it was computed of
    std::string call;                      ///< that made it, by the name of its FX node: "view"
    bool at_once = false;                  ///< of one parameter, and by that call alone
    /// "stages.0.gamma, stages.1.gamma"
    std::string names() const;
  };

  /// Without metadata of the exporter it knows nothing.
  explicit Signature(const onnx::GraphProto& graph);

  bool known() const { return !entries_.empty(); }
  /// What an initializer of the graph is; null: nothing is said of it.
  const Entry* find(const std::string& initializer) const;
  /// The parameters that the text of an FX node ("%linear : ... (%x, %p_fc_weight)") mentions and
  /// that no initializer of the graph holds as they were: something was computed of them.
  std::vector<const Entry*> computed(std::string_view fx_node) const;
  /// What an initializer was computed of, where parameters are among it.
  std::optional<Folded> folded(const std::string& initializer) const;
  /// Whether such a text mentions what the initializer holds.
  bool mentions(std::string_view fx_node, const std::string& initializer) const;

 private:
  void read(std::string_view text);

  std::unordered_map<std::string, Entry> entries_;               ///< by placeholder: "p_fc_weight"
  std::unordered_map<std::string, std::string> placeholder_of_;  ///< of initializers
  std::unordered_set<std::string> held_;                         ///< placeholders of initializers
  std::unordered_map<std::string, std::string> by_target_;       ///< placeholder of a parameter
  std::unordered_map<std::string, std::vector<std::string>> folded_from_;  ///< of initializers
};

}  // namespace onnx2fx::conversion

#endif
