// nn.GRUCell and nn.LSTMCell are exported as their arithmetic. Where the exporter computed all of
// it in one module of torch's, or of a class that it does not say, it is one call again.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/fx/output_layout.hpp"
#include "core/fx/passes.hpp"
#include "core/fx/scopes.hpp"
#include "core/fx/users.hpp"

namespace onnx2fx::fx {
namespace {

using Pair = std::array<uint32_t, 2>;

/// linear(x, weight, bias), the gates of a cell before they are cut up.
struct Gates {
  uint32_t call;
  Argument input, weight, bias;
};

class Cells {
 public:
  explicit Cells(Module& module)
      : module_(module), nodes_(module.programs[0].nodes), users_(users_of(module.programs[0])) {}

  void run() {
    for (uint32_t i = 0; i < nodes_.size(); i++)
      if (!gru(i)) lstm(i);
  }

 private:
  bool is(uint32_t i, std::string_view target, size_t arguments) const {
    const Node& n = nodes_[i];
    return n.target == target && n.args.size() == arguments && n.kwargs.empty();
  }
  std::optional<uint32_t> operand(uint32_t i, size_t at) const {
    const NodeRef* r = nodes_[i].args[at].as<NodeRef>();
    return r ? std::optional(r->index) : std::nullopt;
  }
  std::optional<Pair> operands(uint32_t i, std::string_view target) const {
    if (!is(i, target, 2)) return {};
    const auto a = operand(i, 0), b = operand(i, 1);
    return a && b ? std::optional(Pair{*a, *b}) : std::nullopt;
  }
  std::optional<uint32_t> of(uint32_t i, std::string_view target) const {
    return is(i, target, 1) ? operand(i, 0) : std::nullopt;
  }

  /// Part k of `parts` equal ones along the second axis: what is cut up.
  std::optional<uint32_t> whole_of(uint32_t i, int64_t k, size_t parts) const {
    if (!is(i, "operator::getitem", 2) || nodes_[i].args[1] != Argument(k)) return {};
    const auto split = operand(i, 0);
    if (!split || !is(*split, "aten::split_with_sizes", 3)) return {};
    const Node& n = nodes_[*split];
    const List* sizes = n.args[1].as<List>();
    const bool equal = sizes && sizes->size() == parts && n.args[2] == Argument(int64_t{1}) &&
                       std::ranges::all_of(*sizes, [&](const Argument& s) {
                         return s.as<int64_t>() && s == sizes->front();
                       });
    return equal ? operand(*split, 0) : std::nullopt;
  }

  std::optional<Gates> gates(uint32_t i) const {
    const Node& n = nodes_[i];
    if (n.target != "aten::linear" || n.args.size() < 2 || n.args.size() > 3 || !n.kwargs.empty() ||
        !n.type.shape || n.type.shape->size() != 2)
      return {};
    return Gates{i, n.args[0], n.args[1], n.args.size() == 3 ? n.args[2] : Argument()};
  }

  /// sum = input part + hidden part, in either order: the two calls of linear, the hidden one last.
  std::optional<std::array<Gates, 2>> both(Pair parts, const Argument& hidden) const {
    const auto a = gates(parts[0]), b = gates(parts[1]);
    if (!a || !b || a->bias.is_none() != b->bias.is_none()) return {};
    if (b->input == hidden) return std::array{*a, *b};
    return a->input == hidden ? std::optional(std::array{*b, *a}) : std::nullopt;
  }

  bool in_a_cell(uint32_t result, const std::array<Gates, 2>& linears,
                 std::string_view type) const {
    const Node& n = nodes_[result];
    const auto running = n.onnx ? frames(*n.onnx) : std::nullopt;
    if (!running || running->empty()) return false;
    const Frame& own = running->back();
    if (own.of_torch ? own.type != type : own.type != kUnknownClass) return false;
    return std::ranges::all_of(
        linears, [&](const Gates& g) { return in_one_module(n, nodes_[g.call]) == true; });
  }

  static List call_of(const std::array<Gates, 2>& linears, Argument state) {
    List args{linears[0].input, std::move(state), linears[0].weight, linears[1].weight};
    if (!linears[0].bias.is_none()) {
      args.push_back(linears[0].bias);
      args.push_back(linears[1].bias);
    }
    return args;
  }

  std::optional<std::string> width_of(uint32_t i) const {
    const auto& shape = nodes_[i].type.shape;
    return shape && !shape->empty() ? std::optional(shape->back()) : std::nullopt;
  }

  // ---- h' = (h - n) * z + n

  bool gru(uint32_t result) {
    const auto sum = operands(result, "aten::add.Tensor");
    if (!sum) return false;
    for (const size_t side : {0, 1}) {
      const uint32_t fresh = (*sum)[side], kept = (*sum)[1 - side];
      const auto product = operands(kept, "aten::mul.Tensor");
      const auto inner = of(fresh, "aten::tanh");
      if (!product || !inner) continue;
      for (const size_t at : {0, 1}) {
        const auto change = operands((*product)[at], "aten::sub.Tensor");
        const auto update = of((*product)[1 - at], "aten::sigmoid");
        if (!change || (*change)[1] != fresh || !update) continue;
        const auto linears = gru_gates(*inner, *update, NodeRef{(*change)[0]});
        if (!linears || !in_a_cell(result, *linears, "GRUCell")) continue;
        Node& n = nodes_[result];
        n.target = "aten::gru_cell";
        n.args = call_of(*linears, NodeRef{(*change)[0]});
        return true;
      }
    }
    return false;
  }

  /// n = tanh(i2 + r * h2), r = sigmoid(i0 + h0), z = sigmoid(i1 + h1).
  std::optional<std::array<Gates, 2>> gru_gates(uint32_t inner, uint32_t update,
                                                const Argument& hidden) const {
    const auto sum = operands(inner, "aten::add.Tensor");
    if (!sum) return {};
    for (const size_t side : {0, 1}) {
      const auto input = whole_of((*sum)[side], 2, 3);
      const auto product = operands((*sum)[1 - side], "aten::mul.Tensor");
      if (!input || !product) continue;
      for (const size_t at : {0, 1}) {
        const auto state = whole_of((*product)[at], 2, 3);
        const auto reset = of((*product)[1 - at], "aten::sigmoid");
        if (!state || !reset) continue;
        auto linears = both({*input, *state}, hidden);
        if (linears && (*linears)[1].call == *state && sums(*reset, 0, *input, *state) &&
            sums(update, 1, *input, *state))
          return linears;
      }
    }
    return {};
  }

  bool sums(uint32_t i, int64_t part, uint32_t input, uint32_t state) const {
    const auto sum = operands(i, "aten::add.Tensor");
    if (!sum) return false;
    const auto a = whole_of((*sum)[0], part, 3), b = whole_of((*sum)[1], part, 3);
    return a && b && ((*a == input && *b == state) || (*a == state && *b == input));
  }

  // ---- c' = f * c + i * g, h' = o * tanh(c')

  bool lstm(uint32_t result) {
    const auto product = operands(result, "aten::mul.Tensor");
    if (!product) return false;
    for (const size_t side : {0, 1}) {
      const auto open = gate((*product)[side], "aten::sigmoid", 3);
      const auto cell = of((*product)[1 - side], "aten::tanh");
      const auto sum = open && cell ? operands(*cell, "aten::add.Tensor") : std::nullopt;
      if (!sum) continue;
      for (const size_t at : {0, 1})
        if (write_lstm(result, *cell, *open, (*sum)[at], (*sum)[1 - at])) return true;
    }
    return false;
  }

  /// The sum that a gate is cut out of.
  std::optional<uint32_t> gate(uint32_t i, std::string_view function, int64_t part) const {
    const auto x = of(i, function);
    return x ? whole_of(*x, part, 4) : std::nullopt;
  }

  bool write_lstm(uint32_t hidden, uint32_t cell, uint32_t all, uint32_t kept, uint32_t fresh) {
    const auto forgets = operands(kept, "aten::mul.Tensor");
    const auto adds = operands(fresh, "aten::mul.Tensor");
    const auto sum = operands(all, "aten::add.Tensor");
    if (!forgets || !adds || !sum || users_[fresh].size() != 1) return false;
    const auto is_gate = [&](uint32_t i, std::string_view function, int64_t part) {
      return gate(i, function, part) == all;
    };
    const size_t f = is_gate((*forgets)[0], "aten::sigmoid", 1) ? 0 : 1;
    const size_t g = is_gate((*adds)[0], "aten::sigmoid", 0) ? 0 : 1;
    if (!is_gate((*forgets)[f], "aten::sigmoid", 1) || !is_gate((*adds)[g], "aten::sigmoid", 0) ||
        !is_gate((*adds)[1 - g], "aten::tanh", 2))
      return false;
    const uint32_t state = (*forgets)[1 - f];
    if (state > fresh) return false;  // whose place the call takes
    const auto linears = lstm_linears(*sum, state);
    if (!linears || !in_a_cell(hidden, *linears, "LSTMCell")) return false;
    Node& call = nodes_[fresh];
    call.target = "aten::lstm_cell";
    call.args = call_of(*linears, List{(*linears)[1].input, NodeRef{state}});
    call.type = {};
    take(cell, fresh, 1);
    take(hidden, fresh, 0);
    return true;
  }

  /// Which of the two is of the state, no arithmetic says: the names of the weights do,
  /// "weight_hh".
  std::optional<std::array<Gates, 2>> lstm_linears(Pair sum, uint32_t state) const {
    const auto a = gates(sum[0]), b = gates(sum[1]);
    if (!a || !b || a->bias.is_none() != b->bias.is_none()) return {};
    const auto is_of_state = [&](const Gates& g) {
      const NodeRef *w = g.weight.as<NodeRef>(), *x = g.input.as<NodeRef>();
      const Node* weight = w ? &nodes_[w->index] : nullptr;
      return weight && weight->op == Op::kGetAttr && weight->tensor &&
             module_.tensors[*weight->tensor].name.ends_with("weight_hh") && x &&
             width_of(x->index) && width_of(x->index) == width_of(state);
    };
    if (is_of_state(*a) == is_of_state(*b)) return {};
    return is_of_state(*b) ? std::array{*a, *b} : std::array{*b, *a};
  }

  void take(uint32_t i, uint32_t call, int64_t item) {
    Node& n = nodes_[i];
    n.target = "operator::getitem";
    n.args = {NodeRef{call}, item};
  }

  const Module& module_;
  std::vector<Node>& nodes_;
  const std::vector<std::vector<uint32_t>> users_;
};

}  // namespace

void recover_cells(Module& module) { Cells(module).run(); }

}  // namespace onnx2fx::fx
