// The driver: walks the model's graphs node by node. Each node is typed, then lowered by whoever
// comes first: the host, for shape arithmetic; the providers of its operator, in their order; the
// operator's ONNX function body. Every fault is collected.
#ifndef ONNX2FX_CORE_CONVERT_CONVERTER_HPP_
#define ONNX2FX_CORE_CONVERT_CONVERTER_HPP_

#include <onnx/onnx_pb.h>

#include <deque>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/border/lowering.hpp"
#include "core/build/builder.hpp"
#include "core/build/tensors.hpp"
#include "core/convert/budget.hpp"
#include "core/convert/faults.hpp"
#include "core/convert/place.hpp"
#include "core/convert/scope.hpp"
#include "core/include/onnx2fx/convert.hpp"
#include "core/plugin/registry.hpp"
#include "core/prepare/prepare.hpp"
#include "core/shapes/infer.hpp"

namespace onnx2fx::conversion {

/// The inputs of a model that no initializer gives, in the graph's order.
std::vector<const onnx::ValueInfoProto*> open_inputs(const onnx::GraphProto& graph);

class Converter {
 public:
  /// All of them must outlive the converter.
  Converter(const read::ModelFile& file, Builder& builder, Tensors& tensors,
            plugin::Registry& registry, const Options& options, Report& report);

  /// Lowers the model's graph into the builder's root program, a placeholder for each open input;
  /// the values of its outputs. Throws what throw_faults does.
  std::vector<ValueId> lower_model(const prepare::Prepared& prepared);

 private:
  friend class NodeGraphs;

  // ---- graphs
  Faults lower_graph(const onnx::GraphProto& graph, Scope& scope);
  /// The nodes of the graph around `inner` that lead from the values bound in it to `to`.
  Faults lower_between(Scope& inner, const std::string& to);
  void declare(const onnx::GraphProto& graph, Scope& scope);
  static std::vector<ValueId> outputs_of(const onnx::GraphProto& graph, const Scope& scope);

  // ---- nodes
  Faults lower_node(const onnx::NodeProto& node, Scope& scope);
  Faults lower_affordable(const Place& place, Scope& scope);
  Faults lower_typed(const Place& place, const NodeView& view, Scope& scope);
  Faults lower_by_first(const Place& place, const NodeView& view, std::vector<Type>& types,
                        Scope& scope, Report::Node& entry);
  /// Whether the host knows every output as tracked integers.
  bool is_constant(const NodeView& view, const Type& type,
                   const std::optional<std::vector<MaybeSym>>& elements);
  ValueId add_constant(const Type& type, std::vector<MaybeSym> elements, const std::string& name);
  bool lower_by_tracking(const NodeView& view, std::vector<Type>& types, Scope& scope,
                         Report::Node& entry);
  /// nullopt: declined.
  std::optional<Faults> lower_by_plugin(const plugin::Candidate& candidate, const Place& place,
                                        const NodeView& view, const std::vector<Type>& types,
                                        Scope& scope, Report::Node& entry);
  /// nullopt: the operator is no function.
  std::optional<Faults> lower_by_function(const Place& place, const NodeView& view,
                                          const std::vector<Type>& types, Scope& scope,
                                          Report::Node& entry);
  const onnx::FunctionProto* function_body(const Place& place, const NodeView& view);
  Scope scope_of_body(const onnx::FunctionProto& body, const Place& place);
  void take_outputs(const Lowering& lowering, const std::vector<Type>& types, Scope& scope);
  void bind_output(const onnx::NodeProto& node, int index, ValueId id, const Type& inferred,
                   Scope& scope);

  // ---- what nobody lowers
  Faults check_providers(const Place& place, const NodeView& view);
  std::optional<Fault> switched_off(const Place& place) const;
  Fault nobody_lowers(const Place& place, std::vector<std::string> why_not) const;
  /// A conflict, or a bind or library that fails: in a listing the operator is unsupported.
  static Fault unsettled(const Place& place, const PluginError& why);
  /// Binds values that only have a type, so that the nodes behind can be checked too.
  void bind_stand_ins(const Place& place, const std::vector<Type>& types, Scope& scope);
  /// Binds the results of the calls that stand for the node.
  void bind_opaque(const Place& place, const NodeView& view, const std::vector<Type>& types,
                   Scope& scope);

  EmitContext context_of(const Place& place, const plugin::Plugin* plugin) const;
  /// Tells it once.
  void warn(Diagnostic warning);

  const read::ModelFile& file_;
  Builder& builder_;
  Tensors& tensors_;
  plugin::Registry& registry_;
  const Options& options_;
  Report& report_;
  std::unordered_map<std::string, const onnx::FunctionProto*> functions_;  ///< domain:name:overload
  std::deque<onnx::FunctionProto> bodies_;
  std::deque<prepare::OpsetTable> body_opsets_;
  std::unordered_set<std::string> warned_;
  int depth_ = 0;
  Budget budget_;
};

/// The graphs around and inside one node, for its lowering.
class NodeGraphs final : public Graphs {
 public:
  NodeGraphs(Converter& converter, const Place& place) : converter_(converter), place_(place) {}
  std::vector<ValueId> lower(const onnx::GraphProto& graph,
                             std::span<const ValueId> inputs) override;
  ValueId lower_between(std::span<const std::string> from, std::span<const ValueId> values,
                        const std::string& to) override;

  Faults faults;             ///< of the nodes inside
  bool after_fault = false;  ///< a graph gives what a node outside, which failed, would have given

 private:
  [[noreturn]] void fail(Faults&& more, const std::string& where);

  Converter& converter_;
  const Place& place_;
};

/// One level of graphs and functions, which nest at most 64 deep.
class Level {
 public:
  /// Throws ConversionError at `where`.
  Level(int& depth, const std::string& where, const char* too_deep) : depth_(depth) {
    if (depth_ >= kMaxDepth) throw ConversionError(where, too_deep);
    ++depth_;
  }
  ~Level() { --depth_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

 private:
  static constexpr int kMaxDepth = 64;
  int& depth_;
};

}  // namespace onnx2fx::conversion

#endif
