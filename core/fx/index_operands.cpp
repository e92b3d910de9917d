// Exporters write x[i, j] as a GatherND of the stacked tuples (i, j), each expanded to the shape of
// the result. Compilers want the indices as they were: as small as they broadcast.
#include <algorithm>

#include "core/fx/passes.hpp"

namespace onnx2fx::fx {
namespace {

using Shape = std::vector<std::string>;

class IndexOperands {
 public:
  explicit IndexOperands(Program& program) : nodes_(program.nodes) {}

  void shrink(Node& index) {
    List* operands = index.args.size() == 2 ? index.args[1].as<List>() : nullptr;
    if (!operands) return;
    for (Argument& a : *operands)
      if (const NodeRef* r = a.as<NodeRef>()) a = unstacked(*r);
    List small = *operands;
    for (Argument& a : small)
      if (const NodeRef* r = a.as<NodeRef>()) a = unexpanded(*r);
    const std::optional<Shape> before = broadcast(*operands), after = broadcast(small);
    if (before && before == after) *operands = std::move(small);
  }

 private:
  const Node* call(const Argument& a, std::string_view target) const {
    const NodeRef* r = a.as<NodeRef>();
    const Node* n = r ? &nodes_[r->index] : nullptr;
    return n && n->op == Op::kCallFunction && n->target == target && n->kwargs.empty() ? n
                                                                                       : nullptr;
  }

  /// The axis that an argument names, counted from the front.
  static std::optional<int64_t> axis(const Node& call, size_t argument, size_t rank) {
    const int64_t* d = argument < call.args.size() ? call.args[argument].as<int64_t>() : nullptr;
    if (!d) return {};
    return *d < 0 ? *d + static_cast<int64_t>(rank) : *d;
  }

  /// v of unbind(cat([..., unsqueeze(v, d), ...], d), d)[i], and of unbind(unsqueeze(v, d), d)[0].
  NodeRef unstacked(NodeRef whole) const {
    const Node* item = call(Argument(whole), "operator::getitem");
    const int64_t* i = item && item->args.size() == 2 ? item->args[1].as<int64_t>() : nullptr;
    const Node* unbind = i ? call(item->args[0], "aten::unbind.int") : nullptr;
    if (const NodeRef* v = unbind && *i == 0 ? alone(*unbind) : nullptr) return *v;
    const Node* cat = unbind ? call(unbind->args[0], "aten::cat") : nullptr;
    const List* stacked = cat ? cat->args[0].as<List>() : nullptr;
    if (!stacked || !cat->type.shape || *i < 0 || static_cast<size_t>(*i) >= stacked->size())
      return whole;
    const size_t rank = cat->type.shape->size();
    const auto along = axis(*cat, 1, rank);
    if (!along || axis(*unbind, 1, rank) != along) return whole;
    for (const Argument& a : *stacked) {
      const Node* one = call(a, "aten::unsqueeze");
      if (!one || axis(*one, 1, rank) != along || one->type.dtype != cat->type.dtype) return whole;
    }
    const Node& one = *call((*stacked)[static_cast<size_t>(*i)], "aten::unsqueeze");
    const NodeRef* v = one.args[0].as<NodeRef>();
    return v ? *v : whole;
  }

  const NodeRef* alone(const Node& unbind) const {
    const Node* one = call(unbind.args[0], "aten::unsqueeze");
    if (!one || !one->type.shape) return nullptr;
    const auto along = axis(*one, 1, one->type.shape->size());
    const bool same = along && axis(unbind, 1, one->type.shape->size()) == along;
    return same ? one->args[0].as<NodeRef>() : nullptr;
  }

  NodeRef unexpanded(NodeRef whole) const {
    const Node* expand = call(Argument(whole), "aten::expand");
    const NodeRef* v = expand ? expand->args[0].as<NodeRef>() : nullptr;
    return v ? *v : whole;
  }

  /// What the indices broadcast to; nullopt: some shape is not known, or the module has to run.
  std::optional<Shape> broadcast(const List& operands) const {
    Shape all;
    for (const Argument& a : operands) {
      const NodeRef* r = a.as<NodeRef>();
      if (!r) continue;
      const auto& shape = nodes_[r->index].type.shape;
      if (!shape) return {};
      if (shape->size() > all.size()) all.insert(all.begin(), shape->size() - all.size(), "1");
      const size_t offset = all.size() - shape->size();
      for (size_t k = 0; k < shape->size(); k++) {
        std::string& extent = all[offset + k];
        if (extent == "1")
          extent = (*shape)[k];
        else if ((*shape)[k] != "1" && (*shape)[k] != extent)
          return {};
      }
    }
    return all;
  }

  std::vector<Node>& nodes_;
};

}  // namespace

void shrink_index_operands(Module& module) {
  for (Program& program : module.programs) {
    IndexOperands operands(program);
    for (Node& n : program.nodes)
      if (n.op == Op::kCallFunction && n.target == "aten::index.Tensor") operands.shrink(n);
  }
}

}  // namespace onnx2fx::fx
