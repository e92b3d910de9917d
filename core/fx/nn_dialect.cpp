#include "core/fx/nn_dialect.hpp"

#include <algorithm>
#include <array>

#include "core/fx/passes.hpp"
#include "core/fx/schema.hpp"

namespace onnx2fx::fx {
namespace {

// Only functions that return what the overload returns, a tensor: torch.split gives a tuple where
// aten::split gives a list. No row where the functional spelling checks or defaults differently
// (max_pool2d with an empty stride).
constexpr auto kNames = std::to_array<NnName>({
    {"aten::abs", "torch::abs"},
    {"aten::acos", "torch::acos"},
    {"aten::acosh", "torch::acosh"},
    {"aten::adaptive_avg_pool1d", "torch.nn.functional::adaptive_avg_pool1d"},
    {"aten::adaptive_avg_pool2d", "torch.nn.functional::adaptive_avg_pool2d", 2},
    {"aten::adaptive_avg_pool3d", "torch.nn.functional::adaptive_avg_pool3d", 2},
    {"aten::add.Scalar", "operator::add", 2},
    {"aten::add.Tensor", "operator::add", 2},
    {"aten::addmm", "torch::addmm"},
    {"aten::amax", "torch::amax"},
    {"aten::amin", "torch::amin"},
    {"aten::argmax", "torch::argmax"},
    {"aten::argmin", "torch::argmin"},
    {"aten::asin", "torch::asin"},
    {"aten::asinh", "torch::asinh"},
    {"aten::atan", "torch::atan"},
    {"aten::atanh", "torch::atanh"},
    {"aten::avg_pool1d", "torch.nn.functional::avg_pool1d"},
    {"aten::avg_pool2d", "torch.nn.functional::avg_pool2d"},
    {"aten::avg_pool3d", "torch.nn.functional::avg_pool3d"},
    {"aten::baddbmm", "torch::baddbmm"},
    {"aten::bmm", "torch::bmm"},
    {"aten::broadcast_to", "torch::broadcast_to"},
    {"aten::cat", "torch::cat"},
    {"aten::ceil", "torch::ceil"},
    {"aten::celu", "torch.nn.functional::celu", 2},
    {"aten::clamp", "torch::clamp"},
    {"aten::clamp.Tensor", "torch::clamp"},
    {"aten::conv1d", "torch.nn.functional::conv1d"},
    {"aten::conv2d", "torch.nn.functional::conv2d"},
    {"aten::conv3d", "torch.nn.functional::conv3d"},
    {"aten::conv_transpose1d", "torch.nn.functional::conv_transpose1d"},
    {"aten::conv_transpose2d.input", "torch.nn.functional::conv_transpose2d"},
    {"aten::conv_transpose3d.input", "torch.nn.functional::conv_transpose3d"},
    {"aten::cos", "torch::cos"},
    {"aten::cosh", "torch::cosh"},
    {"aten::cumsum", "torch::cumsum"},
    {"aten::div.Scalar", "operator::truediv", 2},
    {"aten::div.Tensor", "operator::truediv", 2},
    {"aten::dropout", "torch.nn.functional::dropout", 3},
    {"aten::elu", "torch.nn.functional::elu", 2},
    {"aten::eq.Scalar", "operator::eq", 2},
    {"aten::eq.Tensor", "operator::eq", 2},
    {"aten::erf", "torch::erf"},
    {"aten::exp", "torch::exp"},
    {"aten::expm1", "torch::expm1"},
    {"aten::flatten.using_ints", "torch::flatten"},
    {"aten::flip", "torch::flip"},
    {"aten::floor", "torch::floor"},
    {"aten::gather", "torch::gather"},
    {"aten::ge.Scalar", "operator::ge", 2},
    {"aten::ge.Tensor", "operator::ge", 2},
    {"aten::gelu", "torch.nn.functional::gelu"},
    {"aten::glu", "torch.nn.functional::glu", 2},
    {"aten::gt.Scalar", "operator::gt", 2},
    {"aten::gt.Tensor", "operator::gt", 2},
    {"aten::hardsigmoid", "torch.nn.functional::hardsigmoid", 1},
    {"aten::hardswish", "torch.nn.functional::hardswish", 1},
    {"aten::index_select", "torch::index_select"},
    {"aten::isfinite", "torch::isfinite"},
    {"aten::isinf", "torch::isinf"},
    {"aten::isnan", "torch::isnan"},
    {"aten::layer_norm", "torch.nn.functional::layer_norm", 5},
    {"aten::le.Scalar", "operator::le", 2},
    {"aten::le.Tensor", "operator::le", 2},
    {"aten::leaky_relu", "torch.nn.functional::leaky_relu", 2},
    {"aten::linear", "torch.nn.functional::linear"},
    {"aten::log", "torch::log"},
    {"aten::log1p", "torch::log1p"},
    {"aten::log_sigmoid", "torch.nn.functional::logsigmoid"},
    {"aten::log_softmax.int", "torch::log_softmax"},
    {"aten::logical_and", "torch::logical_and"},
    {"aten::logical_not", "torch::logical_not"},
    {"aten::logical_or", "torch::logical_or"},
    {"aten::logical_xor", "torch::logical_xor"},
    {"aten::lt.Scalar", "operator::lt", 2},
    {"aten::lt.Tensor", "operator::lt", 2},
    {"aten::matmul", "torch::matmul"},
    {"aten::maximum", "torch::maximum"},
    {"aten::mean", "torch::mean"},
    {"aten::mean.dim", "torch::mean"},
    {"aten::minimum", "torch::minimum"},
    {"aten::mish", "torch.nn.functional::mish", 1},
    {"aten::mm", "torch::mm"},
    {"aten::mul.Scalar", "operator::mul", 2},
    {"aten::mul.Tensor", "operator::mul", 2},
    {"aten::ne.Scalar", "operator::ne", 2},
    {"aten::ne.Tensor", "operator::ne", 2},
    {"aten::neg", "operator::neg", 1},
    {"aten::pad", "torch.nn.functional::pad", 4},
    {"aten::permute", "torch::permute"},
    {"aten::pixel_shuffle", "torch.nn.functional::pixel_shuffle"},
    {"aten::pow.Tensor_Scalar", "torch::pow"},
    {"aten::pow.Tensor_Tensor", "torch::pow"},
    {"aten::prod.dim_int", "torch::prod"},
    {"aten::reciprocal", "torch::reciprocal"},
    {"aten::relu", "torch::relu"},
    {"aten::relu6", "torch.nn.functional::relu6", 1},
    {"aten::reshape", "torch::reshape"},
    {"aten::round", "torch::round"},
    {"aten::rsqrt", "torch::rsqrt"},
    {"aten::scaled_dot_product_attention", "torch.nn.functional::scaled_dot_product_attention"},
    {"aten::selu", "torch.nn.functional::selu", 1},
    {"aten::sigmoid", "torch::sigmoid"},
    {"aten::sign", "torch::sign"},
    {"aten::silu", "torch.nn.functional::silu", 1},
    {"aten::sin", "torch::sin"},
    {"aten::sinh", "torch::sinh"},
    {"aten::softmax.int", "torch::softmax"},
    {"aten::softplus", "torch.nn.functional::softplus"},
    {"aten::sqrt", "torch::sqrt"},
    {"aten::squeeze.dim", "torch::squeeze"},
    {"aten::squeeze.dims", "torch::squeeze"},
    {"aten::stack", "torch::stack"},
    {"aten::sub.Scalar", "operator::sub", 2},
    {"aten::sub.Tensor", "operator::sub", 2},
    {"aten::sum", "torch::sum"},
    {"aten::sum.dim_IntList", "torch::sum"},
    {"aten::tan", "torch::tan"},
    {"aten::tanh", "torch::tanh"},
    {"aten::tile", "torch::tile"},
    {"aten::transpose.int", "torch::transpose"},
    {"aten::tril", "torch::tril"},
    {"aten::triu", "torch::triu"},
    {"aten::unsqueeze", "torch::unsqueeze"},
    {"aten::where.self", "torch::where"},
});
static_assert(std::is_sorted(kNames.begin(), kNames.end(),
                             [](const NnName& a, const NnName& b) { return a.aten < b.aten; }));

using Kind = SchemaType::Kind;

// torch's own functions choose the overload by the values: a tensor must be one, a number a
// literal.
bool chooses_same(const SchemaArgument& argument, const Argument& value) {
  if (argument.type.list) return true;
  if (argument.type.kind == Kind::kTensor) return value.is_none() || value.as<NodeRef>();
  if (argument.type.kind == Kind::kNumber) return !value.as<NodeRef>();
  return true;
}

bool is_same_call(const NnName& name, const Node& call) {
  const Schema* schema = find_schema(call.target);
  if (!schema || call.args.size() > schema->arguments.size()) return false;
  if (name.max_args && (call.args.size() > name.max_args || !call.kwargs.empty())) return false;
  for (size_t i = 0; i < call.args.size(); ++i) {
    if (!chooses_same(schema->arguments[i], call.args[i])) return false;
  }
  return std::all_of(call.kwargs.begin(), call.kwargs.end(), [&](const NamedArgument& a) {
    std::optional<size_t> i = schema->find(a.first);
    return i && a.first != "self" && chooses_same(schema->arguments[*i], a.second);
  });
}

}  // namespace

std::span<const NnName> nn_names() { return kNames; }

void use_nn_names(Module& module) {
  for (Program& program : module.programs) {
    for (Node& n : program.nodes) {
      if (n.op != Op::kCallFunction) continue;
      auto name = std::lower_bound(
          kNames.begin(), kNames.end(), n.target,
          [](const NnName& row, const std::string& target) { return row.aten < target; });
      if (name != kNames.end() && name->aten == n.target && is_same_call(*name, n))
        n.target = name->nn;
    }
  }
}

}  // namespace onnx2fx::fx
