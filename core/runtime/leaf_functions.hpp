// The leaves, by family. Each takes the arguments of its line in core/fx/leaf_schemas.txt, defaults
// filled in.
#ifndef ONNX2FX_CORE_RUNTIME_LEAF_FUNCTIONS_HPP_
#define ONNX2FX_CORE_RUNTIME_LEAF_FUNCTIONS_HPP_

#include <span>
#include <string_view>
#include <vector>

#include "core/runtime/plan.hpp"

namespace onnx2fx::runtime {

struct NamedLeaf {
  std::string_view name;  ///< without "onnx2fx::"
  c10::IValue (*function)(std::vector<c10::IValue>& arguments, const Context& context);
};

std::span<const NamedLeaf> control_leaves();
std::span<const NamedLeaf> map_leaves();
std::span<const NamedLeaf> random_leaves();
std::span<const NamedLeaf> sequence_leaves();
std::span<const NamedLeaf> string_leaves();

}  // namespace onnx2fx::runtime

#endif
