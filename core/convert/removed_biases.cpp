#include "core/convert/removed_biases.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/convert/signature.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::conversion {
namespace {

/// "%p_fc_bias" of "...[target=torch.ops.aten.linear.default](args = (%x, %p_fc_weight, %p_fc_bias,
/// ...": the third operand of a linear or a convolution. Empty: there is none.
std::string_view bias_of(std::string_view text) {
  const size_t call = text.find("target=torch.ops.aten.");
  if (call == std::string_view::npos) return {};
  text.remove_prefix(call + std::string_view("target=torch.ops.aten.").size());
  if (!text.starts_with("linear.") && !text.starts_with("conv")) return {};
  const size_t list = text.find("](args = (%");
  if (list == std::string_view::npos) return {};
  text.remove_prefix(list + std::string_view("](args = (").size());
  for (int operand = 0; operand < 2; operand++) {
    const size_t comma = text.find_first_of(",)[(");
    if (comma == std::string_view::npos || !text.substr(comma).starts_with(", %")) return {};
    text.remove_prefix(comma + 2);
  }
  return text.substr(0, text.find_first_of(",)"));
}

int64_t attribute(const onnx::NodeProto& node, std::string_view name, int64_t otherwise) {
  for (const auto& a : node.attribute())
    if (a.name() == name) return a.i();
  return otherwise;
}

constexpr int64_t kMostElements = int64_t{1} << 24;  // a file may state any

/// The elements of the node's bias; nullopt: it takes none, or has one.
std::optional<int64_t> missing_bias(const onnx::NodeProto& node, const onnx::TensorProto& weight) {
  if (node.input_size() != 2 || !node.domain().empty() || weight.dims_size() < 2) return {};
  const bool is_gemm = node.op_type() == "Gemm", is_transposed = node.op_type() == "ConvTranspose";
  if (!is_gemm && !is_transposed && node.op_type() != "Conv") return {};
  const bool is_second = is_transposed || (is_gemm && !attribute(node, "transB", 0));
  const int64_t size = weight.dims(is_second ? 1 : 0);
  const int64_t groups = is_transposed ? attribute(node, "group", 1) : 1;
  if (size < 1 || groups < 1 || size > kMostElements / groups) return {};
  return size * groups;
}

}  // namespace

void restore_biases(onnx::GraphProto& graph) {
  const Signature signature(graph);
  if (!signature.known()) return;
  std::unordered_map<std::string, int> initializers;
  for (int i = 0; i < graph.initializer_size(); i++) initializers[graph.initializer(i).name()] = i;
  for (auto& node : *graph.mutable_node()) {
    const auto at = initializers.find(node.input_size() == 2 ? node.input(1) : "");
    if (at == initializers.end()) continue;
    const onnx::TensorProto& weight = graph.initializer(at->second);
    const auto size = missing_bias(node, weight);
    const auto gone = signature.computed(bias_of(fx_node_of(node)));
    if (!size || gone.size() != 1) continue;
    const int32_t dtype = weight.data_type();
    node.add_input(gone[0]->target);
    if (!initializers.emplace(gone[0]->target, graph.initializer_size()).second) continue;
    onnx::TensorProto& bias = *graph.add_initializer();
    bias.set_name(gone[0]->target);
    bias.set_data_type(dtype);
    bias.add_dims(*size);
    bias.set_raw_data(std::string(weights::packed_size(dtype, static_cast<uint64_t>(*size)), 0));
  }
}

}  // namespace onnx2fx::conversion
