// nn.LSTM and its kind with batch_first read [batch, steps, features] and give such. ONNX's nodes
// have the steps in front, so that exporters write a transpose before, and after it what moves the
// directions, and a transpose. The call has both again, and what gives its outputs unchanged goes.
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "core/fx/output_layout.hpp"
#include "core/fx/passes.hpp"
#include "core/fx/users.hpp"

namespace onnx2fx::fx {
namespace {

class Recurrent {
 public:
  explicit Recurrent(Program& program) : nodes_(program.nodes), users_(users_of(program)) {}

  void run() {
    std::vector<uint32_t> place(nodes_.size());  // of what is read in its stead
    std::iota(place.begin(), place.end(), 0);
    for (uint32_t i = 0; i < nodes_.size(); ++i) {
      if (!is_call(i)) continue;
      const std::optional<NodeRef> input = with_batch_in_front(i);
      const Ends ends = follow_outputs(i);
      const bool first = input && (ends.item ? ends.batch_first && may_be_one(i, *ends.batch_first)
                                             : in_one_module(nodes_[i], input_of(i)) == true);
      if (first) {
        nodes_[i].args[kInput] = *input;
        nodes_[i].args[kBatchFirst] = true;
      }
      const std::optional<uint32_t> end = first ? ends.batch_first : ends.whole;
      if (!end) continue;
      place[*end] = *ends.item;
      nodes_[*ends.item].type = nodes_[*end].type;
      std::swap(nodes_[*ends.item].name, nodes_[*end].name);
    }
    for (Node& n : nodes_) for_each_ref(n, [&](NodeRef& r) { r.index = place[r.index]; });
  }

 private:
  /// Of the outputs of a call: where they are themselves again, and where the batch is in front.
  struct Ends {
    std::optional<uint32_t> item, whole, batch_first;
  };

  bool is_call(uint32_t i) const {
    const Node& n = nodes_[i];
    return is_recurrent(n.target) && n.args.size() == kBatchFirst + 1 && n.kwargs.empty() &&
           n.args[kBatchFirst] == Argument(false);
  }
  const Node& input_of(uint32_t call) const {
    return nodes_[nodes_[call].args[kInput].as<NodeRef>()->index];
  }
  /// Not where the exporter says that another module moved the batch.
  bool may_be_one(uint32_t call, uint32_t last) const {
    return in_one_module(nodes_[call], input_of(call)).value_or(true) &&
           in_one_module(nodes_[call], nodes_[last]).value_or(true);
  }

  std::optional<NodeRef> with_batch_in_front(uint32_t call) const {
    if (!nodes_[call].args[kInput].as<NodeRef>()) return {};
    const Node& n = input_of(call);
    const List turned{int64_t{1}, int64_t{0}, int64_t{2}};
    const bool swaps = (n.target == "aten::permute" && n.args.size() == 2 && n.args[1] == turned) ||
                       (n.target == "aten::transpose.int" && n.args.size() == 3 &&
                        n.args[1] == Argument(int64_t{0}) && n.args[2] == Argument(int64_t{1}));
    const NodeRef* from = swaps ? n.args[0].as<NodeRef>() : nullptr;
    return from ? std::optional(*from) : std::nullopt;
  }

  Ends follow_outputs(uint32_t call) const {
    Ends ends;
    for (const uint32_t user : users_[call]) {
      const Node& n = nodes_[user];
      if (n.target != "operator::getitem" || n.args[1] != Argument(int64_t{0}) ||
          users_[user].empty())
        continue;
      if (ends.item) return {user};  // two readers of the outputs: none is theirs alone
      ends.item = user;
    }
    if (!ends.item) return ends;
    const int64_t directions = nodes_[call].args[kBoth] == Argument(true) ? 2 : 1;
    auto layout = OutputLayout::of(nodes_[*ends.item].type, directions);
    for (uint32_t at = *ends.item; layout && users_[at].size() == 1;) {
      const uint32_t next = users_[at][0];
      if (nodes_[next].args.empty() || nodes_[next].args[0] != Argument(NodeRef{at}) ||
          !layout->follow(nodes_[next]))
        break;
      at = next;
      if (layout->is_whole()) ends.whole = at;
      if (layout->is_batch_first()) ends.batch_first = at;
    }
    return ends;
  }

  std::vector<Node>& nodes_;
  const std::vector<std::vector<uint32_t>> users_;
};

}  // namespace

void set_batch_first(Module& module) {
  for (Program& program : module.programs) Recurrent(program).run();
}

}  // namespace onnx2fx::fx
