// What a program computes, as terms. Made where they are asked for: the program is only read.
#ifndef ONNX2FX_CORE_FX_COMPOSITES_PROGRAM_TERMS_HPP_
#define ONNX2FX_CORE_FX_COMPOSITES_PROGRAM_TERMS_HPP_

#include <string_view>
#include <vector>

#include "core/fx/composites/term.hpp"
#include "core/fx/recover.hpp"

namespace onnx2fx::fx::composites {

/// "softmax" of "aten::softmax.int"; "matmul" also of its special cases; empty: no ATen call.
std::string_view call_name(const Node& node);

/// float16, bfloat16, float32, float64: what has the algebra of reals.
bool is_floating(std::string_view dtype);

class ProgramTerms {
 public:
  ProgramTerms(const Program& program, const ConstantNumbers& numbers);

  const Node& node(uint32_t index) const { return program_.nodes[index]; }
  /// Of each node, one entry per mention.
  const std::vector<uint32_t>& users(uint32_t node) const { return users_[node]; }
  /// The first node that computes the same.
  uint32_t first(uint32_t node) const { return first_[node]; }

  /// What an argument of a call says: a number or a node; null: neither.
  TermRef of(const Node& reader, const Argument& argument);
  /// The number that all elements of a constant are.
  std::optional<double> uniform(const Argument& argument) const;
  /// The arithmetic that a node does, with that of operands which nothing else reads. Of other
  /// nodes the node itself.
  TermRef deep(uint32_t node) { return define(node, kDepth); }
  /// With the operands as they are.
  TermRef shallow(uint32_t node) { return define(node, 0); }
  Terms& terms() { return terms_; }

 private:
  static constexpr int kDepth = 8;
  TermRef define(uint32_t node, int depth);
  TermRef arithmetic(const Node& node, int depth);
  TermRef operand(const Node& reader, const Argument& argument, int depth);
  TermRef matmul(uint32_t node, int depth);
  bool adds_axes(const Node& reader, const Node& constant) const;
  void find_same();

  const Program& program_;
  const ConstantNumbers& numbers_;
  std::vector<std::vector<uint32_t>> users_;
  std::vector<uint32_t> first_;
  Terms terms_;
};

}  // namespace onnx2fx::fx::composites

#endif
