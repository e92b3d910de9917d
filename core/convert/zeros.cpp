#include "core/convert/zeros.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "core/fx/schema.hpp"

namespace onnx2fx::conversion {
namespace {

using fx::Argument;
using fx::Node;
using fx::NodeRef;

constexpr auto kBiased = std::to_array<std::string_view>(
    {"conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
     "convolution", "linear"});
constexpr auto kRecurrent = std::to_array<std::string_view>({"GRU", "LSTM", "RNN"});
constexpr auto kMovements = std::to_array<std::string_view>(
    {"broadcast_to", "cat", "expand", "getitem", "permute", "repeat", "reshape", "slice", "squeeze",
     "to", "transpose", "unsqueeze", "view"});
constexpr auto kZeros = std::to_array<std::string_view>({"new_zeros", "zeros", "zeros_like"});

template <size_t N>
bool among(const std::array<std::string_view, N>& all, std::string_view name) {
  return std::find(all.begin(), all.end(), name) != all.end();
}

/// Without namespace and overload, in either dialect: "expand" of "aten::expand".
std::string_view name_of(const Node& n) {
  const std::string_view name = fx::without_overload(n.target);
  const size_t space = name.rfind("::");
  return space == std::string_view::npos ? name : name.substr(space + 2);
}

class Zeros {
 public:
  Zeros(const fx::Module& module, const fx::Program& program,
        const std::vector<TensorEntry*>& entries, Tensors& tensors)
      : module_(module), nodes_(program.nodes), entries_(entries), tensors_(tensors) {}

  /// A tensor, or a list of them, of zeros alone.
  bool are(const Argument& a) {
    std::vector<const Argument*> open{&a};
    std::set<uint32_t> seen;
    while (!open.empty()) {
      const Argument& next = *open.back();
      open.pop_back();
      if (const fx::List* list = next.as<fx::List>()) {
        if (list->empty()) return false;
        for (const Argument& x : *list) open.push_back(&x);
        continue;
      }
      const NodeRef* r = next.as<NodeRef>();
      if (!r) return false;
      if (!seen.insert(r->index).second) continue;
      const Node& n = nodes_[r->index];
      if (n.op == fx::Op::kGetAttr && n.tensor && is_zero(*n.tensor)) continue;
      if (n.op != fx::Op::kCallFunction || n.args.empty()) return false;
      if (among(kZeros, name_of(n))) continue;
      if (!among(kMovements, name_of(n))) return false;
      open.push_back(&n.args[0]);
    }
    return true;
  }

 private:
  bool is_zero(uint32_t tensor) {
    TensorEntry& e = *entries_[tensor];
    if (module_.tensors[tensor].role != fx::Role::kConstant || tensors_.absent(e)) return false;
    const auto bytes = tensors_.bytes(e);
    return std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b == 0; });
  }

  const fx::Module& module_;
  const std::vector<Node>& nodes_;
  const std::vector<TensorEntry*>& entries_;
  Tensors& tensors_;
};

}  // namespace

void drop_zero_biases(fx::Module& module, const std::vector<TensorEntry*>& entries,
                      Tensors& tensors) {
  for (fx::Program& program : module.programs) {
    Zeros zeros(module, program, entries, tensors);
    for (Node& n : program.nodes)
      if (n.op == fx::Op::kCallFunction && n.target.starts_with("aten::") &&
          among(kBiased, name_of(n)) && n.args.size() > 2 && zeros.are(n.args[2]))
        n.args[2] = Argument();
  }
}

void drop_zero_states(fx::Module& module, const std::vector<TensorEntry*>& entries,
                      Tensors& tensors) {
  for (fx::Program& program : module.programs) {
    Zeros zeros(module, program, entries, tensors);
    for (Node& n : program.nodes)
      if (n.op == fx::Op::kCallModule && among(kRecurrent, module.modules[*n.module].type) &&
          n.args.size() == 2 && zeros.are(n.args[1]))
        n.args.pop_back();
  }
}

}  // namespace onnx2fx::conversion
