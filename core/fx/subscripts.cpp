// x[:, 1:n] for aten::slice, x[:, i] for aten::select, x[:, index] for aten::index: the same calls,
// as a person writes them.
#include <algorithm>
#include <cstdint>

#include "core/fx/passes.hpp"

namespace onnx2fx::fx {
namespace {

const std::vector<std::string>* shape_of(const Program& program, const Argument& a) {
  const NodeRef* r = a.as<NodeRef>();
  const auto* shape = r ? &program.nodes[r->index].type.shape : nullptr;
  return shape && *shape ? &**shape : nullptr;
}

/// x[:, ..., last]: what all axes before `axis` take is everything.
Argument at_axis(size_t axis, Argument last) {
  if (axis == 0) return last;
  List all(axis, Slice{List(3)});
  all.push_back(std::move(last));
  return all;
}

/// The axis that a call names, counted from the front; nullopt: not known.
std::optional<size_t> axis_of(const Program& program, const Node& call) {
  const int64_t* axis = call.args[1].as<int64_t>();
  const auto* shape = shape_of(program, call.args[0]);
  if (!axis || (*axis < 0 && !shape)) return {};
  const int64_t front = *axis < 0 ? *axis + static_cast<int64_t>(shape->size()) : *axis;
  return front < 0 ? std::nullopt : std::optional(static_cast<size_t>(front));
}

/// Of start, stop and step, what Python leaves out. No axis is longer than INT32_MAX.
bool is_usual(size_t bound, const Argument& a) {
  const int64_t* i = a.as<int64_t>();
  return i && (bound == 1 ? *i >= INT32_MAX : *i == (bound == 0 ? 0 : 1));
}

Argument slice(const Program& program, const Node& call) {
  const auto axis = axis_of(program, call);
  if (!axis) return {};
  List bounds(3);
  for (size_t i = 0; i < bounds.size() && i + 2 < call.args.size(); i++)
    if (!is_usual(i, call.args[i + 2])) bounds[i] = call.args[i + 2];
  return at_axis(*axis, Slice{std::move(bounds)});
}

Argument select(const Program& program, const Node& call) {
  const auto axis = axis_of(program, call);
  return axis && call.args.size() == 3 ? at_axis(*axis, call.args[2]) : Argument();
}

// torch takes the element of a tensor without axes as a number, which needs its value: not so here.
Argument index(const Program& program, const Node& call) {
  const List* each = call.args[1].as<List>();
  if (!each || each->empty() || each->back().is_none()) return {};
  List all;
  for (const Argument& a : *each) {
    const auto* shape = shape_of(program, a);
    if (!a.is_none() && (!shape || shape->empty())) return {};
    all.push_back(a.is_none() ? Argument(Slice{List(3)}) : a);
  }
  return all.size() == 1 ? all[0] : Argument(std::move(all));
}

struct Row {
  std::string_view target;
  Argument (*subscript)(const Program&, const Node&);
};
constexpr Row kRows[] = {
    {"aten::index.Tensor", index}, {"aten::select.int", select}, {"aten::slice.Tensor", slice}};

}  // namespace

void write_subscripts(Module& module) {
  for (Program& program : module.programs) {
    for (Node& n : program.nodes) {
      const Row* row = std::ranges::find(kRows, n.target, &Row::target);
      if (row == std::end(kRows) || n.op != Op::kCallFunction) continue;
      if (!n.kwargs.empty() || n.args.size() < 2 || !n.args[0].as<NodeRef>()) continue;
      Argument subscript = row->subscript(program, n);
      if (subscript.is_none()) continue;
      n.target = "operator::getitem";
      n.args = {n.args[0], std::move(subscript)};
    }
  }
}

}  // namespace onnx2fx::fx
