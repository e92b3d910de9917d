// nn.LSTM of several layers is exported as one ONNX node a layer. Calls of ATen's recurrent
// operators in one module of the author's, of which each reads the outputs of the one before, and
// nothing else reads those, become one call of all layers again. Where one layer differs from the
// others they stay apart.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/fx/name_set.hpp"
#include "core/fx/output_layout.hpp"
#include "core/fx/passes.hpp"
#include "core/fx/users.hpp"

namespace onnx2fx::fx {
namespace {

/// One call of a layer that reads another's outputs.
struct Link {
  uint32_t before;
  double dropout;  ///< of what it reads, in train()
};
using Chain = std::vector<uint32_t>;

class Stacked {
 public:
  explicit Stacked(Module& module)
      : module_(module), nodes_(module.programs[0].nodes), users_(users_of(module.programs[0])) {}

  void run() {
    std::map<uint32_t, std::vector<Link>> stacks;  // by the last layer: those before it
    for (uint32_t i = 0; i < nodes_.size(); ++i) {
      const std::optional<Link> link = is_layer(i) ? link_of(i) : std::nullopt;
      if (!link) continue;
      auto below = stacks.extract(link->before);
      std::vector<Link> links = below ? std::move(below.mapped()) : std::vector<Link>();
      links.push_back(*link);
      stacks[i] = std::move(links);
    }
    for (const auto& [last, links] : stacks) stack(links, last);
    insert_joins();
  }

 private:
  const NodeRef* operand(uint32_t node, size_t argument) const {
    const Node& n = nodes_[node];
    return argument < n.args.size() ? n.args[argument].as<NodeRef>() : nullptr;
  }
  const List& params(uint32_t layer) const { return *nodes_[layer].args[kParams].as<List>(); }
  const Tensor* parameter(const Argument& a) const {
    const NodeRef* r = a.as<NodeRef>();
    const Node* n = r ? &nodes_[r->index] : nullptr;
    if (!n || n->op != Op::kGetAttr || !n->tensor) return nullptr;
    const Tensor& t = module_.tensors[*n->tensor];
    return t.role == Role::kParameter && !t.dims.empty() ? &t : nullptr;
  }
  int64_t directions(uint32_t layer) const {
    return nodes_[layer].args[kBoth] == Argument(true) ? 2 : 1;
  }
  int64_t hidden(uint32_t layer) const { return parameter(params(layer)[1])->dims.back(); }

  static bool are_tensors(const Argument& a) {
    const List* all = a.as<List>();
    return all ? std::ranges::all_of(*all, [](const Argument& x) { return x.as<NodeRef>(); })
               : a.as<NodeRef>() != nullptr;
  }

  /// A call of one layer, all of whose weights are parameters.
  bool is_layer(uint32_t node) const {
    const Node& n = nodes_[node];
    if (!is_recurrent(n.target) || n.args.size() != kBatchFirst + 1 || !n.kwargs.empty())
      return false;
    const List* all = n.args[kParams].as<List>();
    return all && all->size() >= 2 && n.args[kLayers] == Argument(int64_t{1}) &&
           n.args[kDropout] == Argument(0.0) && n.args[kTrain].as<Training>() &&
           are_tensors(n.args[kState]) &&
           std::ranges::all_of(*all, [&](const Argument& a) { return parameter(a) != nullptr; });
  }

  bool may_follow(uint32_t layer, uint32_t before) const {
    const Node &a = nodes_[before], &b = nodes_[layer];
    if (a.target != b.target || params(before).size() != params(layer).size()) return false;
    for (const size_t i : {kBiases, kBoth, kBatchFirst})
      if (a.args[i] != b.args[i]) return false;
    return in_one_module(a, b) == true && hidden(before) == hidden(layer) &&
           parameter(params(layer)[0])->dims.back() == directions(layer) * hidden(layer);
  }

  std::optional<Link> link_of(uint32_t layer) const {
    std::vector<uint32_t> way;  // from the layer's input back to the outputs of another
    const NodeRef* r = operand(layer, kInput);
    for (; r && nodes_[r->index].target != "operator::getitem"; r = operand(r->index, 0)) {
      if (users_[r->index].size() != 1) return {};
      way.push_back(r->index);
    }
    const NodeRef* before = r ? operand(r->index, 0) : nullptr;
    if (!before || users_[r->index].size() != 1 || !is_layer(before->index) ||
        nodes_[r->index].args[1] != Argument(int64_t{0}) || !may_follow(layer, before->index))
      return {};
    const uint32_t outputs = r->index;
    const std::optional<double> dropout = unchanged(way, outputs, directions(layer));
    return dropout ? std::optional(Link{before->index, *dropout}) : std::nullopt;
  }

  /// Whether the steps give the outputs in their shape and order, nothing but dropped: its
  /// probability.
  std::optional<double> unchanged(const std::vector<uint32_t>& way, uint32_t outputs,
                                  int64_t directions) const {
    auto layout = OutputLayout::of(nodes_[outputs].type, directions);
    if (!layout) return {};
    double dropout = 0;
    for (size_t i = way.size(); i-- > 0;) {
      const Node& n = nodes_[way[i]];
      if (n.target == "aten::dropout") {
        const double* p = n.args[1].as<double>();
        if (!p || !n.args[2].as<Training>() || dropout != 0) return {};
        dropout = *p;
      } else if (!layout->follow(n)) {
        return {};
      }
    }
    return layout->is_whole() ? std::optional(dropout) : std::nullopt;
  }

  // ---- the call of all layers ----

  void stack(const std::vector<Link>& links, uint32_t last) {
    Chain layers;
    for (const Link& l : links) layers.push_back(l.before);
    layers.push_back(last);
    const double dropout = links[0].dropout;
    if (std::ranges::any_of(links, [&](const Link& l) { return l.dropout != dropout; })) return;
    if (share_tensors(layers) || !join_last_states(layers)) return;
    const Argument state = initial_state(layers);
    List all;
    for (size_t k = 0; k < layers.size(); ++k) {
      name_parameters(layers, k);
      all.insert(all.end(), params(layers[k]).begin(), params(layers[k]).end());
    }
    Node& n = nodes_[last];
    n.args[kInput] = nodes_[layers[0]].args[kInput];
    n.args[kState] = state;
    n.args[kParams] = std::move(all);
    n.args[kLayers] = static_cast<int64_t>(layers.size());
    n.args[kDropout] = dropout;
    n.onnx = nodes_[layers[0]].onnx;
  }

  /// A layer that is called twice is not two layers.
  bool share_tensors(const Chain& layers) const {
    std::set<uint32_t> seen;
    for (const uint32_t layer : layers) {
      std::set<uint32_t> own;
      for (const Argument& a : params(layer)) own.insert(*nodes_[a.as<NodeRef>()->index].tensor);
      for (const uint32_t tensor : own)
        if (!seen.insert(tensor).second) return true;
    }
    return false;
  }

  /// The layers' initial states (of the LSTM: h, c) one below the other.
  Argument initial_state(const Chain& layers) {
    const List* pair = nodes_[layers[0]].args[kState].as<List>();
    List whole;
    for (size_t part = 0; part < (pair ? pair->size() : 1); ++part) {
      List states;
      for (const uint32_t layer : layers) {
        const Argument& a = nodes_[layer].args[kState];
        states.push_back(pair ? (*a.as<List>())[part] : a);
      }
      const std::optional<NodeRef> source = sliced_of(states, directions(layers[0]));
      whole.push_back(source ? *source : joined(states, layers.back()));
    }
    return pair ? Argument(std::move(whole)) : whole[0];
  }

  NodeRef joined(const List& states, uint32_t before) {
    Node cat{Op::kCallFunction, nodes_[before].name + "_initial", "aten::cat"};
    cat.args = {states, int64_t{0}};
    cat.onnx = nodes_[before].onnx;
    joins_.emplace_back(before, std::move(cat));
    return {static_cast<uint32_t>(nodes_.size() + joins_.size() - 1)};
  }

  /// Places the joins before their calls; what was replaced is read no more.
  void insert_joins() {
    if (joins_.empty() && replaced_.empty()) return;
    NameSet names;
    for (const Node& n : nodes_) names.claim(n.name);
    std::vector<Node> nodes;
    std::vector<uint32_t> place(nodes_.size() + joins_.size());
    const auto put = [&](Node n, size_t index) {
      for_each_ref(n, [&](NodeRef& r) {
        const auto other = replaced_.find(r.index);
        r.index = place[other == replaced_.end() ? r.index : other->second];
      });
      place[index] = static_cast<uint32_t>(nodes.size());
      nodes.push_back(std::move(n));
    };
    size_t k = 0;
    for (uint32_t i = 0; i < users_.size(); ++i) {
      for (; k < joins_.size() && joins_[k].first == i; ++k) {
        joins_[k].second.name = names.claim(joins_[k].second.name);
        put(std::move(joins_[k].second), users_.size() + k);
      }
      put(std::move(nodes_[i]), i);
    }
    nodes_ = std::move(nodes);
  }

  /// What the states are the rows of, all of them and in order.
  std::optional<NodeRef> sliced_of(const List& states, int64_t rows) const {
    std::optional<NodeRef> source;
    for (size_t k = 0; k < states.size(); ++k) {
      const Node& n = nodes_[states[k].as<NodeRef>()->index];
      if (n.target != "aten::slice.Tensor" || !n.args[0].as<NodeRef>()) return {};
      if (k == 0) source = *n.args[0].as<NodeRef>();
      const auto begin = static_cast<int64_t>(k) * rows;
      if (n.args != List{*source, int64_t{0}, begin, begin + rows, int64_t{1}}) return {};
    }
    const auto& shape = nodes_[source->index].type.shape;
    const auto all = std::to_string(static_cast<int64_t>(states.size()) * rows);
    return shape && !shape->empty() && (*shape)[0] == all ? source : std::nullopt;
  }

  /// The last states of the layers one below the other are those of the call. False: they are read
  /// in another way.
  bool join_last_states(const Chain& layers) {
    std::map<uint32_t, uint32_t> joins;
    for (const int64_t item : {1, 2}) {
      List items;
      for (const uint32_t layer : layers)
        for (const uint32_t user : users_[layer])
          if (nodes_[user].args[1] == Argument(item) && !users_[user].empty())
            items.push_back(NodeRef{user});
      if (items.empty()) continue;
      const uint32_t first = items[0].as<NodeRef>()->index,
                     last = items.back().as<NodeRef>()->index;
      const uint32_t join = users_[first][0];
      const Node& n = nodes_[join];
      if (items.size() != layers.size() || n.target != "aten::cat" || n.args.empty() ||
          n.args[0] != Argument(items) || (n.args.size() > 1 && n.args[1] != Argument(int64_t{0})))
        return false;
      for (const Argument& i : items)
        if (users_[i.as<NodeRef>()->index].size() != 1) return false;
      joins[join] = last;
    }
    for (const auto& [join, item] : joins) nodes_[item].type = nodes_[join].type;
    replaced_.merge(joins);
    return true;
  }

  /// "a.weight_ih_l0" of the k-th layer, which its node gave the name, is "first.weight_ih_lk".
  void name_parameters(const Chain& layers, size_t k) {
    const auto &own = nodes_[layers[k]].onnx, &first = nodes_[layers[0]].onnx;
    if (k == 0 || !own || !first) return;
    for (const Argument& a : params(layers[k])) {
      Tensor& t = module_.tensors[*nodes_[a.as<NodeRef>()->index].tensor];
      const size_t at = t.name.rfind("_l0");
      if (t.named_by_author || !t.name.starts_with(own->name + ".") || at == std::string::npos)
        continue;
      t.name = first->name + t.name.substr(own->name.size(), at + 2 - own->name.size()) +
               std::to_string(k) + t.name.substr(at + 3);
    }
  }

  Module& module_;
  std::vector<Node>& nodes_;
  std::vector<std::vector<uint32_t>> users_;
  std::map<uint32_t, uint32_t> replaced_;         ///< nodes that others are read instead of
  std::vector<std::pair<uint32_t, Node>> joins_;  ///< of states, each with the call that reads it
};

}  // namespace

void stack_layers(Module& module) { Stacked(module).run(); }

}  // namespace onnx2fx::fx
