// Puts nodes into an order in which each value is made before it is read.
#ifndef ONNX2FX_CORE_PREPARE_SORT_HPP_
#define ONNX2FX_CORE_PREPARE_SORT_HPP_

#include <string>

#include "core/prepare/scope.hpp"

namespace onnx2fx::prepare {

using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

/// Sorts the nodes of one graph; of the possible orders, the one nearest to the file's. `scope`
/// holds the graph's inputs and initializers. Names that nobody defines do not count. Returns what
/// makes it impossible ("cyclic graph: 'a' -> 'b' -> 'a'"), nodes untouched then; "" if it went
/// well.
std::string sort(Nodes& nodes, const Scope& scope);

}  // namespace onnx2fx::prepare

#endif
