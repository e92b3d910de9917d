#include "core/fx/decimal.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

namespace onnx2fx::fx {
namespace {

/// What is larger may be a dtype's largest number: torch refuses what lies above it.
constexpr float kLarge = 1e30F;

bool is_at_most_float(std::string_view dtype) {
  return dtype == "float32" || dtype == "float16" || dtype == "bfloat16";
}

bool reads_floats(const Node& n, const Program& program) {
  if (n.op != Op::kCallFunction || !n.target.starts_with("aten::") ||
      n.target.find("upsample") != std::string::npos || n.type.dtype == "float64")
    return false;
  const NodeRef* first = n.args.empty() ? nullptr : n.args[0].as<NodeRef>();
  return first && is_at_most_float(program.nodes[first->index].type.dtype);
}

void write(Argument& a) {
  if (List* all = a.as<List>()) std::ranges::for_each(*all, write);
  double* number = a.as<double>();
  if (number && static_cast<double>(static_cast<float>(*number)) == *number)
    *number = decimal(static_cast<float>(*number));
}

}  // namespace

double decimal(float number) {
  std::array<char, 32> text;
  const char* end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  double value = number;
  std::from_chars(text.data(), end, value);
  return static_cast<float>(value) == number && std::abs(number) < kLarge ? value : number;
}

void write_decimals(Module& module) {
  for (Program& program : module.programs)
    for (Node& n : program.nodes) {
      if (!reads_floats(n, program)) continue;
      std::ranges::for_each(n.args, write);
      for (NamedArgument& a : n.kwargs) write(a.second);
    }
}

}  // namespace onnx2fx::fx
