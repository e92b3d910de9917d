#include "plugins/ai.onnx.ml/forest.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include "plugins/ai.onnx.ml/table.hpp"

namespace onnx2fx {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The leaves below a root, and the number of steps to the farthest.
struct Reach {
  std::vector<int64_t> leaves;
  int64_t depth = 0;
};
Reach reach(const Forest& f, int64_t root) {
  const int64_t branches = static_cast<int64_t>(f.branches.size());
  Reach r;
  std::set<int64_t> leaves, level{root};
  for (int64_t depth = 0; !level.empty(); depth++) {
    if (depth > branches) throw Invalid("expected trees, got nodes that lead back to themselves");
    std::set<int64_t> next;
    r.depth = depth;
    for (const int64_t node : level) {
      if (node < 0 || node >= f.nodes())
        throw Invalid("expected node ids within the tree, got " + std::to_string(node));
      if (node >= branches) {
        leaves.insert(node - branches);
        continue;
      }
      const Forest::Branch& b = f.branches[static_cast<size_t>(node)];
      next.insert({b.if_true, b.if_false});
    }
    level = std::move(next);
  }
  r.leaves.assign(leaves.begin(), leaves.end());
  return r;
}

// The tables of the nodes, and the step from each node to the next.
class Walk {
 public:
  Walk(Node& n, const Forest& f, Value x, int32_t dtype) : n_(n), f_(f), x_(x) {
    const auto column = [&](const char* name, int32_t type, auto of, double at_leaf = 0) {
      std::vector<double> data;
      for (const Forest::Branch& b : f.branches) data.push_back(static_cast<double>(of(b)));
      data.resize(static_cast<size_t>(f.nodes()), at_leaf);
      return table(n, name, type, data);
    };
    using B = Forest::Branch;
    for (const B& b : f.branches) modes_.insert(b.mode);
    feature_ = column("feature", kInt64, [](const B& b) { return b.feature; });
    split_ = column("split", dtype, [](const B& b) { return b.split; });
    if (modes_.size() > 1)
      mode_ = column("mode", kInt64, [](const B& b) { return static_cast<int64_t>(b.mode); });
    if (std::any_of(f.branches.begin(), f.branches.end(), [](const B& b) { return b.nan_is_true; }))
      nan_is_true_ = column("nan_is_true", kBool, [](const B& b) { return b.nan_is_true; });
    if (modes_.contains(Mode::kMember)) members_ = member_table(dtype);
    if_true_ = children("if_true", &B::if_true);
    if_false_ = children("if_false", &B::if_false);
  }

  Value step(Value at) {
    const Value value = n_.call("aten::gather", {x_, 1, take(feature_, at)});
    Value condition;
    for (const Mode m : modes_) {
      const Value c = compared(m, value, at);
      if (!condition) {
        condition = c;
      } else {
        const Value is_m = n_.call("aten::eq.Scalar", {take(mode_, at), static_cast<int64_t>(m)});
        condition = n_.call("aten::where.self", {is_m, c, condition});
      }
    }
    if (nan_is_true_)
      condition = n_.call("aten::logical_or",
                          {condition, n_.call("aten::logical_and", {n_.call("aten::isnan", {value}),
                                                                    take(nan_is_true_, at)})});
    return n_.call("aten::where.self", {condition, take(if_true_, at), take(if_false_, at)});
  }

 private:
  Value take(Value of, Value at) { return n_.call("aten::take", {of, at}); }

  Value children(const char* name, int64_t Forest::Branch::*child) {
    std::vector<int64_t> data;
    for (const Forest::Branch& b : f_.branches) data.push_back(b.*child);
    for (int64_t i = static_cast<int64_t>(data.size()); i < f_.nodes(); i++) data.push_back(i);
    return table(n_, name, kInt64, data);
  }

  // One row for each node, filled up with NaN, which equals nothing.
  Value member_table(int32_t dtype) {
    size_t width = 1;
    for (const Forest::Branch& b : f_.branches) width = std::max(width, b.members.size());
    std::vector<double> data(static_cast<size_t>(f_.nodes()) * width,
                             std::numeric_limits<double>::quiet_NaN());
    for (size_t i = 0; i < f_.branches.size(); i++)
      std::copy(f_.branches[i].members.begin(), f_.branches[i].members.end(),
                data.begin() + static_cast<ptrdiff_t>(i * width));
    return table(n_, "members", dtype, data, {f_.nodes(), static_cast<int64_t>(width)});
  }

  Value compared(Mode m, Value value, Value at) {
    if (m == Mode::kMember) {
      const Value members = n_.call("aten::embedding", {members_, at});
      const Value same =
          n_.call("aten::eq.Tensor", {n_.call("aten::unsqueeze", {value, -1}), members});
      return n_.call("aten::any.dim", {same, -1});
    }
    static constexpr const char* kTargets[] = {"aten::le.Tensor", "aten::lt.Tensor",
                                               "aten::ge.Tensor", "aten::gt.Tensor",
                                               "aten::eq.Tensor", "aten::ne.Tensor"};
    return n_.call(kTargets[static_cast<size_t>(m)], {value, take(split_, at)});
  }

  Node& n_;
  const Forest& f_;
  Value x_;
  std::set<Mode> modes_;
  Value feature_, split_, mode_, nan_is_true_, members_, if_true_, if_false_;
};

}  // namespace

Verdict::Verdict(Node& n, const Forest& forest, Value x, int32_t dtype)
    : n_(n), f_(forest), dtype_(dtype) {
  int64_t depth = 0;
  for (const int64_t root : f_.roots) {
    Reach r = reach(f_, root);
    depth = std::max(depth, r.depth);
    leaves_of_tree_.push_back(std::move(r.leaves));
  }
  if (f_.roots.empty()) throw Invalid("expected trees, got none");
  for (const Forest::Weight& w : f_.weights)
    if (w.target < 0 || w.target >= f_.targets)
      throw Invalid("expected targets below " + std::to_string(f_.targets) + ", got " +
                    std::to_string(w.target));
  const Value roots = table(n, "roots", kInt64, f_.roots);
  Value at =
      n.call("aten::expand", {roots, Ints{n.dim(x, 0), static_cast<int64_t>(f_.roots.size())}});
  if (depth) {
    Walk walk(n, f_, x, dtype);
    for (int64_t i = 0; i < depth; i++) at = walk.step(at);
  }
  leaf_ = n.call("aten::sub.Scalar", {at, static_cast<int64_t>(f_.branches.size())});
}

bool Verdict::always_present() const {
  std::set<std::pair<int64_t, int64_t>> weighted;
  for (const Forest::Weight& w : f_.weights) weighted.insert({w.leaf, w.target});
  for (int64_t target = 0; target < f_.targets; target++)
    if (std::none_of(leaves_of_tree_.begin(), leaves_of_tree_.end(), [&](const auto& leaves) {
          return std::all_of(leaves.begin(), leaves.end(), [&](int64_t leaf) {
            return weighted.contains({leaf, target});
          });
        }))
      return false;
  return true;
}

// The weights by leaf and target, [leaves, targets].
Value Verdict::table_of_weights(double filling, int32_t role) {
  const size_t width = static_cast<size_t>(f_.targets);
  std::vector<double> data(static_cast<size_t>(f_.leaves) * width, filling);
  for (const Forest::Weight& w : f_.weights) {
    double& cell = data[static_cast<size_t>(w.leaf) * width + static_cast<size_t>(w.target)];
    if (filling == 0)
      cell += w.weight;
    else
      cell = filling > 0 ? std::min(cell, w.weight) : std::max(cell, w.weight);
  }
  return table(n_, "weights", dtype_, data, {f_.leaves, f_.targets}, role);
}

bool Verdict::one_target_per_tree() const {
  std::vector<std::set<int64_t>> targets(static_cast<size_t>(f_.leaves));
  for (const Forest::Weight& w : f_.weights) targets[static_cast<size_t>(w.leaf)].insert(w.target);
  return std::all_of(leaves_of_tree_.begin(), leaves_of_tree_.end(), [&](const auto& leaves) {
    std::set<int64_t> of_tree;
    for (const int64_t leaf : leaves)
      of_tree.insert(targets[static_cast<size_t>(leaf)].begin(),
                     targets[static_cast<size_t>(leaf)].end());
    return of_tree.size() <= 1;
  });
}

Value Verdict::sum() {
  if (f_.targets == 1 || !one_target_per_tree()) {
    const Value each =
        n_.call("aten::embedding", {table_of_weights(0, O2FX_ROLE_PARAMETER), leaf_});
    return n_.call("aten::sum.dim_IntList", {each, Ints{1}});
  }
  std::vector<double> weights(static_cast<size_t>(f_.leaves), 0.0);
  std::vector<int64_t> of_leaf(weights.size(), 0), of_tree;
  for (const Forest::Weight& w : f_.weights) {
    weights[static_cast<size_t>(w.leaf)] += w.weight;
    of_leaf[static_cast<size_t>(w.leaf)] = w.target;
  }
  for (const auto& leaves : leaves_of_tree_) {
    int64_t target = 0;  // leaves without a weight add 0 to any
    for (const int64_t leaf : leaves) target = std::max(target, of_leaf[static_cast<size_t>(leaf)]);
    of_tree.push_back(target);
  }
  const Value each = n_.call(
      "aten::take", {table(n_, "weights", dtype_, weights, {}, O2FX_ROLE_PARAMETER), leaf_});
  const Value zeros = n_.call("aten::new_zeros", {each, Ints{n_.dim(each, 0), f_.targets}});
  return n_.call("aten::index_add", {zeros, 1, table(n_, "targets", kInt64, of_tree), each});
}

Value Verdict::present() {
  if (always_present()) return {};
  const size_t width = static_cast<size_t>(f_.targets);
  std::vector<double> data(static_cast<size_t>(f_.leaves) * width, 0.0);
  for (const Forest::Weight& w : f_.weights)
    data[static_cast<size_t>(w.leaf) * width + static_cast<size_t>(w.target)] = 1;
  const Value has = table(n_, "has_weight", kFloat, data, {f_.leaves, f_.targets});
  const Value each = n_.call("aten::embedding", {has, leaf_});
  return n_.call("aten::gt.Scalar", {n_.call("aten::amax", {each, Ints{1}}), 0});
}

Value Verdict::extreme(Aggregate how) {
  const bool least = how == Aggregate::kMin;
  const Value weights = table_of_weights(least ? kInfinity : -kInfinity, O2FX_ROLE_BUFFER);
  const Value each = n_.call("aten::embedding", {weights, leaf_});
  const Value y = n_.call(least ? "aten::amin" : "aten::amax", {each, Ints{1}});
  const Value has = present();
  return has ? n_.call("aten::where.ScalarOther", {has, y, 0.0}) : y;
}

Value Verdict::aggregated(Aggregate how) {
  if (how == Aggregate::kMin || how == Aggregate::kMax) return extreme(how);
  const Value y = sum();
  if (how == Aggregate::kSum) return y;
  return n_.call("aten::div.Scalar", {y, static_cast<double>(f_.roots.size())});
}

}  // namespace onnx2fx
