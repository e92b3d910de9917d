// One run of a plugin's lower(): what its slots (host_*.cpp) work on.
#ifndef ONNX2FX_CORE_BORDER_LOWERING_HPP_
#define ONNX2FX_CORE_BORDER_LOWERING_HPP_

#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/border/call.hpp"
#include "core/build/builder.hpp"
#include "core/build/tensors.hpp"
#include "core/shapes/infer.hpp"

namespace onnx2fx::conversion {

/// What a lowering has done by the driver: the graphs around its node and inside it.
class Graphs {
 public:
  virtual ~Graphs() = default;
  /// All nodes of a graph that the node holds, into the current program; one value per output.
  /// Throws HostError if one cannot be lowered.
  virtual std::vector<ValueId> lower(const onnx::GraphProto& graph,
                                     std::span<const ValueId> inputs) = 0;
  /// The nodes of the graph that holds the node which lead from the values named `from`, bound to
  /// `values`, to the one named `to`. Throws HostError likewise, or if there is none.
  virtual ValueId lower_between(std::span<const std::string> from, std::span<const ValueId> values,
                                const std::string& to) = 0;
};

class Lowering final : public Call {
 public:
  /// place: of the node, for messages.
  Lowering(const plugin::Plugin& plugin, const NodeView& node, const std::string& place,
           Builder& builder, Tensors& tensors, Graphs& graphs);

  const NodeView& node;
  Builder& builder;
  Tensors& tensors;
  Graphs& graphs;
  const size_t base_depth;  ///< of the programs that are open when it starts

  std::vector<bool> input_read;
  std::unordered_set<std::string> attribute_read;
  std::vector<ValueId> outputs;
  std::optional<uint32_t> read_last;  ///< the tensor whose bytes it was given last
  std::vector<ValueId> untyped;       ///< values that it was told no dtype or no rank of
  std::vector<const onnx::AttributeProto*> attributes;  ///< ids: index + 1
  std::vector<const onnx::GraphProto*> graph_ids;       ///< ids: index + 1
};

}  // namespace onnx2fx::conversion

#endif
