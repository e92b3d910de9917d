#include "tools/onnx2fx/macs.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "core/fx/nn_dialect.hpp"
#include "core/fx/schema.hpp"

namespace onnx2fx::cli {
namespace {

using Dims = std::optional<std::vector<int64_t>>;

/// A call, and the sizes of what it takes and gives.
class Sized {
 public:
  Sized(const fx::Module& module, const fx::Program& program, const fx::Node& call,
        SymbolicSizes& sizes)
      : module_(module), program_(program), call_(call), sizes_(sizes) {}

  Dims result() const { return sizes_.of(call_.type); }
  Dims operand(size_t i) const { return i < call_.args.size() ? of(call_.args[i]) : Dims(); }
  Dims of(const fx::Argument& a) const {
    const auto* ref = a.as<fx::NodeRef>();
    return ref ? sizes_.of(program_.nodes[ref->index].type) : Dims();
  }
  const fx::Argument* argument(size_t i) const {
    return i < call_.args.size() ? &call_.args[i] : nullptr;
  }
  /// Of a layer: the module's own, or the second operand.
  Dims weight() const {
    if (!call_.module) return operand(1);
    for (const auto& use : module_.modules[*call_.module].tensors)
      if (use.attribute == "weight") return dims(use);
    return {};
  }
  /// Of a recurrent layer: nullopt where one is not known.
  std::optional<std::vector<std::vector<int64_t>>> weights() const {
    std::vector<std::vector<int64_t>> all;
    if (call_.module) {
      for (const auto& use : module_.modules[*call_.module].tensors) all.push_back(dims(use));
      return all;
    }
    const auto* list = call_.args.size() > 2 ? call_.args[2].as<fx::List>() : nullptr;
    if (!list) return {};
    for (const fx::Argument& a : *list) {
      Dims d = of(a);
      if (!d) return {};
      all.push_back(std::move(*d));
    }
    return all;
  }

 private:
  std::vector<int64_t> dims(const fx::Submodule::TensorUse& use) const {
    std::vector<int64_t> d = module_.tensors[use.tensor].dims;
    if (use.transposed) std::reverse(d.begin(), d.end());
    return d;
  }

  const fx::Module& module_;
  const fx::Program& program_;
  const fx::Node& call_;
  SymbolicSizes& sizes_;
};

Amount linear(const Sized& c) {
  const Dims result = c.result(), weight = c.weight();
  if (!result || !weight || weight->empty()) return {};
  return times(product(*result), static_cast<uint64_t>(weight->back()));
}

/// Each element of the result is a row of the operand times a column.
Amount rows_of(const Sized& c, size_t operand) {
  const Dims result = c.result(), rows = c.operand(operand);
  if (!result || !rows || rows->empty()) return {};
  return times(product(*result), static_cast<uint64_t>(rows->back()));
}
Amount matmul(const Sized& c) { return rows_of(c, 0); }
Amount addmm(const Sized& c) { return rows_of(c, 1); }

/// Each element of the result, or of the input of a transposed convolution, meets the weights of
/// its channel.
Amount windows(const Dims& elements, const Dims& weight) {
  if (!elements || !weight || weight->size() < 2) return {};
  return times(product(*elements), product(std::span(*weight).subspan(1)));
}
Amount conv(const Sized& c) { return windows(c.result(), c.weight()); }
Amount conv_transpose(const Sized& c) { return windows(c.operand(0), c.weight()); }
Amount convolution(const Sized& c) {
  const fx::Argument* transposed = c.argument(6);
  return transposed && *transposed == fx::Argument(true) ? conv_transpose(c) : conv(c);
}

/// Two products: queries by keys, their weights by values.
Amount attention(const Sized& c) {
  const Dims q = c.operand(0), k = c.operand(1), v = c.operand(2);
  if (!q || !k || !v || q->empty() || k->size() < 2 || v->empty()) return {};
  const Amount queries = product(std::span(*q).first(q->size() - 1));
  const Amount wide = plus(static_cast<uint64_t>(q->back()), static_cast<uint64_t>(v->back()));
  return times(times(queries, static_cast<uint64_t>((*k)[k->size() - 2])), wide);
}

/// Every step of the sequence meets every matrix of the layer.
Amount recurrent(const Sized& c) {
  const Dims input = c.operand(0);
  const auto weights = c.weights();
  if (!input || !weights || input->empty()) return {};
  Amount all = 0;
  for (const std::vector<int64_t>& w : *weights)
    if (w.size() == 2) all = plus(all, product(w));
  return times(all, product(std::span(*input).first(input->size() - 1)));
}

/// Of two operands: a product over all letters, if it sums over one that both have. Of more it is
/// not known in which order torch takes them.
Amount einsum(const Sized& c) {
  const fx::Argument *text = c.argument(0), *list = c.argument(1);
  if (!text || !list || !text->as<std::string>() || !list->as<fx::List>()) return {};
  std::string equation = *text->as<std::string>();
  std::erase(equation, ' ');
  const auto& operands = *list->as<fx::List>();
  const size_t arrow = equation.find("->"), comma = equation.find(',');
  if (operands.size() == 1) return 0;
  if (operands.size() != 2 || arrow == std::string::npos || equation.find('.') != std::string::npos)
    return {};
  const std::array letters = {equation.substr(0, comma),
                              equation.substr(comma + 1, arrow - comma - 1)};
  const std::string kept = equation.substr(arrow + 2);
  std::map<char, int64_t> sizes;
  for (size_t i = 0; i < 2; ++i) {
    const Dims d = c.of(operands[i]);
    if (!d || d->size() != letters[i].size()) return {};
    for (size_t k = 0; k < d->size(); ++k) {
      int64_t& size = sizes[letters[i][k]];
      size = std::max(size, (*d)[k]);
    }
  }
  const auto stands_in = [](char letter, const std::string& in) {
    return in.find(letter) != std::string::npos;
  };
  bool sums = false;
  Amount all = 1;
  for (const auto& [letter, size] : sizes) {
    const bool shared = stands_in(letter, letters[0]) && stands_in(letter, letters[1]);
    if (!shared && !stands_in(letter, kept)) continue;  // summed before the product
    sums |= !stands_in(letter, kept);
    all = times(all, static_cast<uint64_t>(size));
  }
  return sums ? all : 0;
}

/// Modules by class, functions by the name of their ATen call.
struct Row {
  std::string_view name;
  Amount (*macs)(const Sized&);
};
constexpr auto kRows = std::to_array<Row>({
    {"Conv1D", matmul},
    {"Conv1d", conv},
    {"Conv2d", conv},
    {"Conv3d", conv},
    {"ConvTranspose1d", conv_transpose},
    {"ConvTranspose2d", conv_transpose},
    {"ConvTranspose3d", conv_transpose},
    {"GRU", recurrent},
    {"GRUCell", recurrent},
    {"LSTM", recurrent},
    {"LSTMCell", recurrent},
    {"Linear", linear},
    {"RNN", recurrent},
    {"aten::addmm", addmm},
    {"aten::baddbmm", addmm},
    {"aten::bmm", matmul},
    {"aten::conv1d", conv},
    {"aten::conv2d", conv},
    {"aten::conv3d", conv},
    {"aten::conv_transpose1d", conv_transpose},
    {"aten::conv_transpose2d", conv_transpose},
    {"aten::conv_transpose3d", conv_transpose},
    {"aten::convolution", convolution},
    {"aten::einsum", einsum},
    {"aten::gru", recurrent},
    {"aten::linear", linear},
    {"aten::lstm", recurrent},
    {"aten::matmul", matmul},
    {"aten::mm", matmul},
    {"aten::rnn_relu", recurrent},
    {"aten::rnn_tanh", recurrent},
    {"aten::scaled_dot_product_attention", attention},
});

}  // namespace

std::string_view aten_name(std::string_view target) {
  for (const fx::NnName& n : fx::nn_names())
    if (n.nn == target) return fx::without_overload(n.aten);
  return fx::without_overload(target);
}

bool is_foreign(std::string_view target) {
  static constexpr auto kOwn = std::to_array<std::string_view>(
      {"aten", "higher_order", "onnx2fx", "operator", "torch", "torch.Tensor", "torch.fft",
       "torch.linalg", "torch.nn.functional"});
  if (target == "onnx2fx::opaque" || target == "onnx2fx::custom_call") return true;
  return std::ranges::find(kOwn, target.substr(0, target.find("::"))) == kOwn.end();
}

Amount macs_of(const fx::Module& module, const fx::Program& program, const fx::Node& call,
               SymbolicSizes& sizes) {
  if (call.module && module.modules[*call.module].program) return 0;
  const std::string_view name =
      call.module ? std::string_view(module.modules[*call.module].type) : aten_name(call.target);
  const auto* row = std::ranges::find(kRows, name, &Row::name);
  return row == kRows.end() ? 0 : row->macs(Sized(module, program, call, sizes));
}

}  // namespace onnx2fx::cli
