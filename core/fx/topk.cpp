#include <algorithm>
#include <numeric>
#include <optional>
#include <string_view>
#include <vector>

#include "core/fx/provenance.hpp"
#include "core/fx/recover.hpp"
#include "core/fx/users.hpp"

namespace onnx2fx::fx {
namespace {

constexpr std::string_view kTopK = "target=torch.ops.aten.topk.default]";

const Argument* keyword(const Node& n, std::string_view name) {
  const auto at = std::ranges::find(n.kwargs, name, &NamedArgument::first);
  return at == n.kwargs.end() ? nullptr : &at->second;
}

bool is_sort_of_topk(const Node& n) {
  if (n.target != "aten::sort.stable" || n.args.size() != 1) return false;
  const std::string* text = exported_from(n);
  return text && text->find(kTopK) != std::string::npos;
}

/// The first k, where all that read the sort's values and indices are slices [:k] of them.
class Slices {
 public:
  Slices(const Program& program, const std::vector<std::vector<uint32_t>>& users)
      : nodes_(program.nodes), users_(users) {}

  const std::vector<uint32_t>& all() const { return slices_; }

  std::optional<Argument> read(uint32_t sort) {
    const Argument* dim = keyword(nodes_[sort], "dim");
    for (const uint32_t item : users_[sort]) {
      if (nodes_[item].target != "operator::getitem") return {};
      for (const uint32_t user : users_[item])
        if (!dim || !is_first_k(user, item, *dim)) return {};
    }
    if (const NodeRef* r = k_ ? k_->as<NodeRef>() : nullptr; r && r->index >= sort) return {};
    return k_;
  }

 private:
  bool is_first_k(uint32_t at, uint32_t item, const Argument& dim) {
    const Node& n = nodes_[at];
    if (n.target != "aten::slice.Tensor" || n.args.size() != 4 || !n.kwargs.empty() ||
        n.args[0] != Argument(NodeRef{item}) || n.args[1] != dim ||
        n.args[2] != Argument(int64_t{0}) || (k_ && *k_ != n.args[3]))
      return false;
    k_ = n.args[3];
    slices_.push_back(at);
    return true;
  }

  const std::vector<Node>& nodes_;
  const std::vector<std::vector<uint32_t>>& users_;
  std::vector<uint32_t> slices_;
  std::optional<Argument> k_;
};

void recover(Program& program, std::map<std::string, uint32_t>& counts) {
  std::vector<Node>& nodes = program.nodes;
  if (std::ranges::none_of(nodes, is_sort_of_topk)) return;
  const std::vector<std::vector<uint32_t>> users = users_of(program);
  std::vector<uint32_t> place(nodes.size());  // of what is read in its stead
  std::iota(place.begin(), place.end(), 0);
  for (uint32_t i = 0; i < nodes.size(); i++) {
    if (!is_sort_of_topk(nodes[i])) continue;
    Slices slices(program, users);
    const auto k = slices.read(i);
    if (!k) continue;
    const Argument* dim = keyword(nodes[i], "dim");
    const Argument* largest = keyword(nodes[i], "descending");
    nodes[i].args = {nodes[i].args[0], *k, *dim};
    if (!largest || *largest != Argument(true)) nodes[i].args.emplace_back(false);
    nodes[i].kwargs.clear();
    nodes[i].target = "aten::topk";
    counts["topk"]++;
    for (const uint32_t slice : slices.all()) {
      Node& item = nodes[place[slice] = nodes[slice].args[0].as<NodeRef>()->index];
      item.type = nodes[slice].type;
      std::swap(item.name, nodes[slice].name);
    }
  }
  for (Node& n : nodes) for_each_ref(n, [&](NodeRef& r) { r.index = place[r.index]; });
}

}  // namespace

void recover_topk(Module& module) {
  for (Program& program : module.programs) recover(program, module.recovered);
}

}  // namespace onnx2fx::fx
