// Exporters cut the rows of a recurrent weight up, put them in the order that ONNX has its gates
// in, and stack them; the lowering takes them apart again and puts them in torch's order. What
// comes out is the weight as it was, or its own rows: all in between goes.
#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/fx/passes.hpp"
#include "core/fx/schema.hpp"

namespace onnx2fx::fx {
namespace {

/// Rows [begin, end) of what a node gives, a tensor that is read as it is stored.
struct Rows {
  uint32_t node;
  int64_t begin, end;
};
/// One part below the other.
using Parts = std::vector<Rows>;
/// A value made of rows. `planes`: the rows are its second axis, the planes its first.
struct Stack {
  std::vector<Parts> all;
  bool planes = false;
};
using MaybeStack = std::optional<Stack>;

constexpr size_t kMostParts = 64;
constexpr std::string_view kMoving[] = {"aten::cat", "aten::select.int", "aten::slice.Tensor",
                                        "aten::squeeze.dim", "aten::unsqueeze"};

constexpr std::string_view kCutting[] = {"aten::chunk", "aten::split.Tensor",
                                         "aten::split_with_sizes"};

int64_t count(const Parts& parts) {
  int64_t n = 0;
  for (const Rows& r : parts) n += r.end - r.begin;
  return n;
}

void append(Parts& parts, const Rows& more) {
  if (more.begin == more.end) return;
  if (!parts.empty() && parts.back().node == more.node && parts.back().end == more.begin)
    parts.back().end = more.end;
  else
    parts.push_back(more);
}

Stack cut(const Parts& whole, int64_t begin, int64_t end) {
  Parts part;
  int64_t at = 0;
  for (const Rows& r : whole) {
    const int64_t from = std::max(begin - at, int64_t{0}), to = std::min(end - at, r.end - r.begin);
    if (from < to) append(part, {r.node, r.begin + from, r.begin + to});
    at += r.end - r.begin;
  }
  return {{std::move(part)}};
}

class Rearranged {
 public:
  explicit Rearranged(Module& module) : module_(module), nodes_(module.programs[0].nodes) {
    stacks_.resize(nodes_.size());
    for (uint32_t i = 0; i < nodes_.size(); ++i) stacks_[i] = stack_of(i);
  }

  /// Calls read the stored tensor where theirs is made of all its rows, in order.
  void restore() {
    for (Node& n : nodes_) {
      if (n.op == Op::kOutput) continue;  // which does not give the parameter itself
      for (Argument& a : n.args) restore(a);
      for (NamedArgument& a : n.kwargs) restore(a.second);
    }
  }

 private:
  const Tensor& tensor_of(uint32_t node) const { return module_.tensors[*nodes_[node].tensor]; }

  void restore(Argument& a) {
    for_each_ref(a, [&](NodeRef& r) {
      const MaybeStack& s = stacks_[r.index];
      if (!s || s->planes || s->all[0].size() != 1 || nodes_[r.index].op == Op::kGetAttr) return;
      const Rows& rows = s->all[0][0];
      if (rows.begin == 0 && rows.end == tensor_of(rows.node).dims[0]) r.index = rows.node;
    });
  }

  MaybeStack stack_of(uint32_t index) const {
    const Node& n = nodes_[index];
    if (n.op == Op::kGetAttr && n.tensor) {
      const Tensor& t = tensor_of(index);
      const bool rows = t.role == Role::kParameter && !t.dims.empty();
      return rows ? MaybeStack(Stack{{{{index, 0, t.dims[0]}}}}) : std::nullopt;
    }
    if (n.op != Op::kCallFunction || n.args.empty()) return {};
    if (n.target == "operator::getitem") return item(n);
    if (std::ranges::find(kMoving, n.target) == std::end(kMoving)) return {};
    const Schema* schema = find_schema(n.target);
    const auto all = schema ? bind_arguments(*schema, n) : std::nullopt;
    if (!all) return {};
    if (n.target == "aten::cat") return joined(*all);
    const MaybeStack x = of((*all)[0]);
    if (!x) return {};
    if (n.target == "aten::slice.Tensor") return sliced(*x, *all);
    if (integer((*all)[1]) != 0) return {};
    if (n.target == "aten::unsqueeze" && !x->planes) return Stack{x->all, true};
    if (n.target == "aten::squeeze.dim" && x->planes && x->all.size() == 1) return Stack{x->all};
    return n.target == "aten::select.int" ? plane(*x, integer((*all)[2])) : std::nullopt;
  }

  using Arguments = std::vector<std::optional<Argument>>;

  static std::optional<int64_t> integer(const std::optional<Argument>& a) {
    const int64_t* i = a ? a->as<int64_t>() : nullptr;
    return i ? std::optional(*i) : std::nullopt;
  }
  MaybeStack of(const std::optional<Argument>& a) const {
    const NodeRef* r = a ? a->as<NodeRef>() : nullptr;
    return r ? stacks_[r->index] : std::nullopt;
  }

  static MaybeStack plane(const Stack& x, std::optional<int64_t> index) {
    const bool there = x.planes && index && *index >= 0 && std::cmp_less(*index, x.all.size());
    return there ? MaybeStack(Stack{{x.all[static_cast<size_t>(*index)]}}) : std::nullopt;
  }

  // Along the first axis: planes after planes, or rows below rows; along the second: rows below
  // rows, plane by plane.
  MaybeStack joined(const Arguments& all) const {
    const List* list = all[0]->as<List>();
    const auto axis = integer(all[1]);
    if (!list || list->empty() || !axis) return {};
    MaybeStack whole;
    for (const Argument& a : *list) {
      const MaybeStack part = of(a);
      if (!part || (whole && part->planes != whole->planes)) return {};
      if (!whole)
        whole = part;
      else if (whole->planes && *axis == 0)
        whole->all.insert(whole->all.end(), part->all.begin(), part->all.end());
      else if (*axis != (whole->planes ? 1 : 0) || whole->all.size() != part->all.size())
        return {};
      else
        for (size_t i = 0; i < part->all.size(); ++i)
          for (const Rows& r : part->all[i]) append(whole->all[i], r);
      for (const Parts& parts : whole->all)
        if (parts.size() > kMostParts || whole->all.size() > kMostParts) return {};
    }
    return whole;
  }

  static MaybeStack sliced(const Stack& x, const Arguments& all) {
    const auto axis = integer(all[1]), step = integer(all[4]);
    const auto bound = [&](size_t i, int64_t usual) {
      return all[i] && all[i]->is_none() ? std::optional(usual) : integer(all[i]);
    };
    const auto begin = bound(2, 0), end = bound(3, count(x.all[0]));
    if (axis != 0 || x.planes || step != 1 || !begin || !end || *begin < 0 || *end < *begin)
      return {};
    return cut(x.all[0], *begin, std::min(*end, count(x.all[0])));
  }

  /// One of the parts of chunk, split or split_with_sizes.
  MaybeStack item(const Node& n) const {
    const NodeRef* from = n.args[0].as<NodeRef>();
    const int64_t* which = n.args.size() == 2 ? n.args[1].as<int64_t>() : nullptr;
    if (!from || !which || *which < 0) return {};
    const Node& parts = nodes_[from->index];
    if (std::ranges::find(kCutting, parts.target) == std::end(kCutting)) return {};
    const Schema* schema = find_schema(parts.target);
    const auto all = schema ? bind_arguments(*schema, parts) : std::nullopt;
    const MaybeStack x = all ? of((*all)[0]) : std::nullopt;  // self, how, dim
    if (!x || x->planes || integer((*all)[2]) != 0) return {};
    const auto number = integer((*all)[1]);
    const int64_t rows = count(x->all[0]);
    int64_t each = 0;
    if (parts.target == "aten::chunk" && number && *number > 0)
      each = (rows + *number - 1) / *number;
    else if (parts.target == "aten::split.Tensor" && number && *number > 0)
      each = *number;
    if (each && *which < rows) return cut(x->all[0], *which * each, (*which + 1) * each);
    return parts.target == "aten::split_with_sizes" ? by_lengths(x->all[0], *(*all)[1], *which)
                                                    : std::nullopt;
  }

  static MaybeStack by_lengths(const Parts& x, const Argument& lengths, int64_t which) {
    const List* list = lengths.as<List>();
    if (!list || which >= static_cast<int64_t>(list->size())) return {};
    int64_t begin = 0;
    for (int64_t i = 0;; ++i) {
      const int64_t* length = (*list)[static_cast<size_t>(i)].as<int64_t>();
      if (!length || *length < 0) return {};
      if (i == which) return cut(x, begin, begin + *length);
      begin += *length;
    }
  }

  Module& module_;
  std::vector<Node>& nodes_;
  std::vector<MaybeStack> stacks_;
};

}  // namespace

void restore_rows(Module& module) { Rearranged(module).restore(); }

}  // namespace onnx2fx::fx
