// One conversion: walks the graph node by node; for each, infers types, tracks shape values, asks
// the providers in order, falls back on the ONNX function body, and collects every fault.
#ifndef ONNX2FX_CORE_CONVERT_CONVERTER_HPP_
#define ONNX2FX_CORE_CONVERT_CONVERTER_HPP_

#include <onnx/onnx_pb.h>

#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/build/builder.hpp"
#include "core/convert/budget.hpp"
#include "core/include/onnx2fx/convert.hpp"
#include "core/plugin/registry.hpp"
#include "core/prepare/prepare.hpp"
#include "core/shapes/infer.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::conversion {

/// Names of one graph or function body. Functions see no outer names: parent is null.
struct Scope {
  Scope* parent = nullptr;
  const prepare::OpsetTable* opsets = nullptr;
  const google::protobuf::RepeatedPtrField<onnx::NodeProto>* nodes = nullptr;  ///< in their order
  std::string function_path;
  std::unordered_map<std::string, ValueId> values;
  std::unordered_map<std::string, const onnx::TypeProto*>
      declared;  ///< value_info and outputs: hints, never facts

  ValueId find(const std::string& name) const;
};

/// Its name, or what it is called by where it has none: its first output, its operator.
std::string node_name(const onnx::NodeProto& node);

/// Something that stands in the way of the conversion.
struct Fault {
  Diagnostic diagnostic;
  bool unsupported = false;  ///< no provider, or the lowering cannot express the node
  bool plugin = false;       ///< a plugin broke the border's rules
  std::string domain, op_type, node;
  int64_t opset = 0;
  std::vector<std::string> reasons;
  bool absent = false;  ///< a value that the lowering needs lies in a file that does not exist
};
using Faults = std::vector<Fault>;

/// The unsupported operators among the faults, one entry each.
std::vector<UnsupportedOperator> group(const Faults& faults);
/// Adds what was kept as opaque nodes to the report.
void keep(std::vector<UnsupportedOperator> operators, Report& report);
/// Throws what fits: PluginError, UnsupportedOperatorError, ConversionError. Equal diagnostics are
/// told once.
[[noreturn]] void raise(const Faults& faults);

class Lowering;

class Converter {
 public:
  Converter(read::ModelFile& file, weights::Store& store, plugin::Registry& registry,
            const Options& options);
  fx::Module run(const prepare::Prepared& prepared, Report& report);

  // ---- for Lowering
  Faults lower_graph(const onnx::GraphProto& graph, Scope& scope);
  /// The nodes of scope's own graph that lead from the values bound in `inner`, whose parent it is,
  /// to the one named `to`.
  Faults lower_between(Scope& inner, const std::string& to);
  /// Binds the graph's outputs by name; a missing one is a fault of the model.
  std::vector<ValueId> outputs_of(const onnx::GraphProto& graph, const Scope& scope);
  /// The value of a tensor of the model; the same proto gives the same tensor.
  ValueId model_tensor(const onnx::TensorProto& tensor, const std::string& name);
  ValueId dense_tensor(const onnx::SparseTensorProto& tensor, const std::string& name);
  /// In ONNX packing; throws ConversionError when they lie in a file that does not exist.
  std::span<const uint8_t> bytes(TensorEntry& entry);
  /// Null: the bytes are there.
  std::shared_ptr<const Absent> absent(const TensorEntry& entry);
  void declare(const onnx::GraphProto& graph, Scope& scope);
  int use_count(const std::string& name) const;
  /// Before the first use of a plugin: its init().
  void start(plugin::Plugin& plugin);

  Builder builder;
  Budget budget;
  weights::Store& store;
  const Options& options;
  std::map<std::string, ValueId> constants;  ///< made by lowerings, by content

 private:
  struct Place {
    const onnx::NodeProto& node;
    std::string where;  ///< "net.onnx: node 'conv1' (Conv, opset 17)"
    std::string domain;
    int64_t opset;
  };
  /// Nothing more is lowered once the budget is spent; that is the only fault then.
  Faults lower_node(const onnx::NodeProto& node, Scope& scope);
  Faults lower_affordable(const onnx::NodeProto& node, Scope& scope);
  Faults lower_sound(const Place& place, const NodeView& view, Scope& scope);
  Faults provide(const Place& place, const NodeView& view, std::vector<Type>& types, Scope& scope,
                 Report::Node& entry);
  bool bind_tracked(const NodeView& view, std::vector<Type>& types, Scope& scope,
                    Report::Node& entry);
  std::optional<Faults> ask(const plugin::Candidate& candidate, const Place& place,
                            const NodeView& view, const std::vector<Type>& types, Scope& scope,
                            Report::Node& entry);
  std::optional<Faults> expand_function(const Place& place, const NodeView& view,
                                        const std::vector<Type>& types, Scope& scope,
                                        Report::Node& entry);
  const onnx::FunctionProto* function_body(const Place& place, const NodeView& view);
  static void absent_inputs(onnx::FunctionProto& body, const std::string& name);
  void bind(const onnx::NodeProto& node, int index, ValueId id, const Type* inferred, Scope& scope);
  void taint(const onnx::NodeProto& node, const std::vector<Type>& types, Scope& scope,
             const Place* opaque, const NodeView& view);
  Faults only_check_providers(const Place& place, const NodeView& view);
  std::optional<Fault> forbidden(const Place& place);
  Fault unsupported(const Place& place, std::vector<std::string> reasons);
  std::shared_ptr<const fx::Provenance> provenance(const Place& place, const Scope& scope,
                                                   const plugin::Plugin* plugin);
  fx::Module finish(const onnx::GraphProto& graph, const Scope& scope);
  fx::TensorData data_of(TensorEntry& entry, fx::Role role);
  bool stays(const TensorEntry& entry, fx::Role role);
  void count_uses(const onnx::GraphProto& graph);

  read::ModelFile& file_;
  plugin::Registry& registry_;
  prepare::OpsetTable opsets_;
  Report* report_ = nullptr;
  std::unordered_map<std::string, const onnx::FunctionProto*> functions_;  ///< domain:name:overload
  std::deque<onnx::FunctionProto> expanded_;
  std::deque<prepare::OpsetTable> tables_;
  std::unordered_map<const void*, ValueId> model_tensors_;  ///< by address of the proto
  std::unordered_map<std::string, int> uses_;
  int depth_ = 0;
};

}  // namespace onnx2fx::conversion

#endif
