#include "core/fx/blocks/border.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/fx/blocks/readers.hpp"

namespace onnx2fx::fx::blocks {
namespace {

/// They copy nothing that is worth a thought, or are made of sizes alone.
const std::set<std::string_view> kViewsAndFactories = {
    "operator::getitem", "torch.Tensor::expand", "torch.Tensor::to", "torch.Tensor::view",
    "torch::arange",     "torch::full",          "torch::ones",      "torch::permute",
    "torch::reshape",    "torch::select",        "torch::squeeze",   "torch::t",
    "torch::transpose",  "torch::tril",          "torch::triu",      "torch::unsqueeze",
    "torch::where",      "torch::zeros"};
/// Of indices and masks: not of floats.
const std::set<std::string_view> kIndexArithmetic = {
    "operator::add",     "operator::and_",     "operator::eq",       "operator::floordiv",
    "operator::ge",      "operator::gt",       "operator::invert",   "operator::le",
    "operator::lt",      "operator::mul",      "operator::ne",       "operator::neg",
    "operator::or_",     "operator::sub",      "torch::bitwise_and", "torch::bitwise_not",
    "torch::bitwise_or", "torch::eq",          "torch::ge",          "torch::gt",
    "torch::le",         "torch::logical_and", "torch::logical_not", "torch::logical_or",
    "torch::lt",         "torch::ne"};

bool is_cheap(const Node& n) {
  if (n.op != Op::kCallFunction) return false;
  if (kViewsAndFactories.contains(n.target)) return true;
  const std::string& dtype = n.type.dtype;
  return kIndexArithmetic.contains(n.target) && (dtype == "bool" || dtype.starts_with("int"));
}

/// What is longer than this is no longer cheap.
constexpr int kDeepest = 64;
/// Of a constant of which each block has its own; one that is larger is handed to them.
constexpr int64_t kMostElements = 1024;

class Drawer {
 public:
  Drawer(Flat& flat, const Module& module, Cut& root)
      : flat_(flat), tensors_(module.tensors), readers_(flat, root) {
    name_extents(module.inputs);
  }

  void draw(Cut& parent) {
    siblings_.clear();
    for (Cut::Part& part : parent.parts)
      if (part.block) siblings_[part.block->last] = part.block.get();
    for (Cut::Part& part : parent.parts)
      if (part.block) draw_one(*part.block);
    for (Cut::Part& part : parent.parts)
      if (part.block) draw(*part.block);
  }

 private:
  /// Inputs may have an extent of one name, which says that it is the same.
  void name_extents(const std::vector<Port>& inputs) {
    for (size_t i = 0; i < inputs.size() && i < flat_.nodes.size(); i++) {
      const auto &ours = flat_.nodes[i].type.shape, &stated = inputs[i].type.shape;
      if (!ours || !stated || ours->size() != stated->size()) continue;
      for (size_t d = 0; d < ours->size(); d++) stated_.try_emplace((*ours)[d], (*stated)[d]);
    }
  }

  const std::string& name_of(const std::string& extent) const {
    const auto at = stated_.find(extent);
    return at == stated_.end() ? extent : at->second;
  }

  void draw_one(Cut& block) {
    block_ = &block;
    inputs_.clear();
    can_copy_.clear();
    looked_at_.clear();
    copied_.clear();
    copies_.clear();
    std::vector<uint32_t> outside, sizes;
    std::unordered_set<uint32_t> seen;
    for_each_node(block, [&](uint32_t n) {
      for_each_ref(flat_.nodes[n], [&](NodeRef r) {
        if (readers_.inside(block, r.index)) return;
        if (is_size_of_tensor(flat_.nodes[n]))
          sizes.push_back(n);
        else if (seen.insert(r.index).second)
          outside.push_back(r.index);
      });
    });
    for (const uint32_t v : outside)
      if (!is_number(flat_.nodes[v])) find_inputs(v);
    for (const uint32_t n : sizes) read_of_input(n);
    for (const uint32_t v : outside) copy(v);
    if (copies_.empty()) return;
    for_each_node(block, [&](uint32_t n) { redirect(flat_.nodes[n]); });
    for (const uint32_t c : copies_) redirect(flat_.nodes[c]);
    std::vector<Cut::Part> parts;
    for (const uint32_t c : copies_) parts.push_back({c, nullptr});
    block.parts.insert(block.parts.begin(), std::make_move_iterator(parts.begin()),
                       std::make_move_iterator(parts.end()));
  }

  void redirect(Node& n) {
    for_each_ref(n, [&](NodeRef& r) {
      const auto at = copied_.find(r.index);
      if (at != copied_.end() && at->second) r.index = *at->second;
    });
  }

  bool is_small_constant(const Node& n) const {
    if (n.op != Op::kGetAttr || !n.tensor || tensors_[*n.tensor].role != Role::kConstant)
      return false;
    int64_t elements = 1;
    for (const int64_t d : tensors_[*n.tensor].dims) {
      if (d > kMostElements || (elements *= d) > kMostElements) return false;
    }
    return true;
  }

  /// The other block of the parent's that computes it; null: none does.
  const Cut* sibling(uint32_t v) const {
    const auto at = siblings_.lower_bound(readers_.home(v));
    return at != siblings_.end() && readers_.inside(*at->second, v) ? at->second : nullptr;
  }

  /// The exporter computes once what several blocks compute: the block uses it itself. What it
  /// does not use is a result of its.
  bool is_shared(uint32_t v) const {
    return std::ranges::any_of(readers_.of(v),
                               [&](uint32_t r) { return readers_.home(r) == readers_.home(v); });
  }

  /// Whether it is cheap to compute what the sibling does, from what that is handed.
  bool can_copy(uint32_t v, const Cut* from, int depth = 0) {
    const Node& n = flat_.nodes[v];
    if (is_number(n) || is_small_constant(n) || sibling(v) != from) return true;
    if (!is_cheap(n) || depth == kDeepest) return false;
    const auto known = can_copy_.find(v);
    if (known != can_copy_.end()) return known->second;
    bool all = true;
    for_each_ref(n, [&](NodeRef r) { all = all && can_copy(r.index, from, depth + 1); });
    return can_copy_[v] = all;
  }

  bool is_copied(uint32_t v) {
    if (is_small_constant(flat_.nodes[v])) return true;
    const Cut* from = sibling(v);
    return from && is_shared(v) && can_copy(v, from);
  }

  /// The tensors that the block is handed, for the sake of one that it reads.
  void find_inputs(uint32_t v) {
    if (!is_copied(v)) {
      if (std::ranges::find(inputs_, v) == inputs_.end()) inputs_.push_back(v);
      return;
    }
    find_inputs_of_copy(v, sibling(v));
  }

  void find_inputs_of_copy(uint32_t v, const Cut* from) {
    if (!looked_at_.insert(v).second) return;
    for_each_ref(flat_.nodes[v], [&](NodeRef r) {
      const Node& n = flat_.nodes[r.index];
      if (is_number(n) || is_small_constant(n)) return;
      if (from && sibling(r.index) == from)
        find_inputs_of_copy(r.index, from);
      else if (std::ranges::find(inputs_, r.index) == inputs_.end())
        inputs_.push_back(r.index);
    });
  }

  /// Of a value from outside: its copy; nullopt: it is handed in.
  std::optional<uint32_t> copy(uint32_t v, int depth = 0) {
    const auto known = copied_.find(v);
    if (known != copied_.end()) return known->second;
    const Node& n = flat_.nodes[v];
    std::optional<uint32_t> made;
    if (is_number(n))
      made = copy_number(v, depth);
    else if (is_copied(v))
      made = copy_with_operands(v, sibling(v));
    copied_[v] = made;
    return made;
  }

  std::optional<uint32_t> copy_with_operands(uint32_t v, const Cut* from) {
    std::vector<uint32_t> operands;
    for_each_ref(flat_.nodes[v], [&](NodeRef r) { operands.push_back(r.index); });
    for (const uint32_t o : operands) {
      if (copied_.contains(o)) continue;
      if (is_number(flat_.nodes[o]) || is_small_constant(flat_.nodes[o]))
        copy(o);
      else if (from && sibling(o) == from)
        copied_[o] = copy_with_operands(o, from);
    }
    return append(flat_.nodes[v]);
  }

  std::optional<uint32_t> copy_number(uint32_t v, int depth) {
    if (is_size_of_tensor(flat_.nodes[v])) return copy_size(v);
    if (flat_.nodes[v].op != Op::kCallFunction || depth == kDeepest) return std::nullopt;
    std::vector<uint32_t> operands;
    for_each_ref(flat_.nodes[v], [&](NodeRef r) { operands.push_back(r.index); });
    if (operands.empty()) return std::nullopt;
    for (const uint32_t o : operands)
      if (!is_number(flat_.nodes[o]) || !copy(o, depth + 1)) return std::nullopt;
    return append(flat_.nodes[v]);
  }

  /// A size that the block takes itself.
  void read_of_input(uint32_t n) {
    if (std::optional<Node> same = size_of_input(n))
      flat_.nodes[n] = std::move(*same);
    else
      inputs_.push_back(flat_.nodes[n].args[0].as<NodeRef>()->index);
  }

  std::optional<uint32_t> copy_size(uint32_t v) {
    std::optional<Node> same = size_of_input(v);
    return same ? std::optional(append(std::move(*same))) : std::nullopt;
  }

  /// The same size, of a tensor that the block is handed anyway.
  std::optional<Node> size_of_input(uint32_t v) const {
    const uint32_t of = flat_.nodes[v].args[0].as<NodeRef>()->index;
    const auto axis = *flat_.nodes[v].args[1].as<int64_t>();
    if (std::ranges::find(inputs_, of) != inputs_.end()) return flat_.nodes[v];
    const std::optional<std::string> extent = extent_of(of, axis);
    if (!extent) return std::nullopt;
    for (const uint32_t input : inputs_) {
      const auto& shape = flat_.nodes[input].type.shape;
      if (!shape) continue;
      const auto at = std::ranges::find_if(
          *shape, [&](const std::string& dim) { return name_of(dim) == name_of(*extent); });
      if (at == shape->end()) continue;
      Node size = flat_.nodes[v];
      size.args = {NodeRef{input}, static_cast<int64_t>(at - shape->begin())};
      return size;
    }
    return std::nullopt;
  }

  std::optional<std::string> extent_of(uint32_t tensor, int64_t axis) const {
    const auto& shape = flat_.nodes[tensor].type.shape;
    if (!shape) return std::nullopt;
    if (axis < 0) axis += static_cast<int64_t>(shape->size());
    if (axis < 0 || axis >= static_cast<int64_t>(shape->size())) return std::nullopt;
    const std::string& extent = (*shape)[static_cast<size_t>(axis)];
    return extent.empty() || extent == "?" ? std::nullopt : std::optional(extent);
  }

  uint32_t append(Node n) {
    const auto index = static_cast<uint32_t>(flat_.nodes.size());
    flat_.nodes.push_back(std::move(n));
    flat_.scopes.emplace_back();
    readers_.add(block_->number);
    copies_.push_back(index);
    return index;
  }

  Flat& flat_;
  const std::vector<Tensor>& tensors_;
  std::unordered_map<std::string, std::string> stated_;  ///< by what we call an extent
  Readers readers_;                          ///< as they were before anything was copied
  std::map<uint32_t, const Cut*> siblings_;  ///< of one parent, by the last number
  Cut* block_ = nullptr;                     ///< that is being drawn; what follows is of it
  std::vector<uint32_t> inputs_;             ///< tensors, in order of use
  std::unordered_map<uint32_t, bool> can_copy_;
  std::unordered_set<uint32_t> looked_at_;
  std::unordered_map<uint32_t, std::optional<uint32_t>> copied_;
  std::vector<uint32_t> copies_;  ///< operands first
};

/// What is there for what it does, not for its result.
std::vector<bool> unread(const Flat& flat) {
  std::vector<bool> all(flat.nodes.size(), true);
  for (const Node& n : flat.nodes)
    for_each_ref(n, [&](NodeRef r) { all[r.index] = flat.nodes[r.index].op == Op::kPlaceholder; });
  return all;
}

void spread_backwards(const Flat& flat, const Cut& root, std::vector<bool>& live) {
  std::vector<uint32_t> order;
  for_each_node(root, [&](uint32_t n) { order.push_back(n); });
  for (size_t i = order.size(); i-- > 0;)
    if (live[order[i]])
      for_each_ref(flat.nodes[order[i]], [&](NodeRef r) { live[r.index] = true; });
}

void keep(Flat& flat, const std::vector<bool>& live, Cut& cut) {
  std::erase_if(cut.parts, [&](Cut::Part& part) {
    if (part.block) {
      keep(flat, live, *part.block);
      return part.block->parts.empty();
    }
    if (live[part.node]) return false;
    flat.nodes[part.node] = Node();  // it reads nothing any more
    return true;
  });
}

}  // namespace

void draw_borders(Flat& flat, const Module& module, Cut& root) {
  std::vector<bool> live = unread(flat);
  Drawer(flat, module, root).draw(root);
  live.resize(flat.nodes.size());
  spread_backwards(flat, root, live);
  keep(flat, live, root);
}

}  // namespace onnx2fx::fx::blocks
