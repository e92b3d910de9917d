// Forests from attributes: of the old operators, which list all nodes by tree and node id, leaves
// among them, and of TreeEnsemble, which lists branches and leaves apart.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "plugins/ai.onnx.ml/forest.hpp"

namespace onnx2fx {
namespace {

double half(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == 31)
    return fraction ? std::numeric_limits<double>::quiet_NaN()
                    : sign * std::numeric_limits<double>::infinity();
  return sign * (exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24));
}

std::vector<double> reals_of(Node& n, Value v, bool& is_double) {
  if (const auto reals = n.constant_reals(v)) {
    is_double |= n.dtype(v) == kDouble;
    return *reals;
  }
  const auto data = n.constant_data(v);
  if (!data || data->dtype != kFloat16) throw Invalid("expected a tensor of floats");
  std::vector<double> r;
  for (size_t i = 0; i + 2 <= data->size; i += 2) {
    uint16_t bits = 0;
    std::memcpy(&bits, static_cast<const char*>(data->data) + i, 2);
    r.push_back(half(bits));
  }
  return r;
}

std::vector<double> tensor_reals(Node& n, const std::string& name, bool& is_double) {
  const Value v = n.maybe_tensor(name);
  return v ? reals_of(n, v, is_double) : std::vector<double>{};
}
// Revision 3 has each list of floats as a tensor too.
std::vector<double> list_or_tensor(Node& n, const std::string& name, bool& is_double) {
  if (n.has(name)) return n.reals(name);
  return tensor_reals(n, name + "_as_tensor", is_double);
}

void check_size(const char* name, size_t got, size_t expected) {
  if (got != expected)
    throw Invalid("attribute '" + std::string(name) + "': expected " + std::to_string(expected) +
                  " values, got " + std::to_string(got));
}

constexpr const char* kLeafMode = "LEAF";
Mode mode_of(const std::string& text) {
  static constexpr const char* kNames[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                           "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
  for (size_t i = 0; i < std::size(kNames); i++)
    if (text == kNames[i]) return static_cast<Mode>(i);
  throw Invalid(
      "attribute 'nodes_modes': expected BRANCH_LEQ, _LT, _GTE, _GT, _EQ, _NEQ or LEAF, "
      "got " +
      text);
}

// The numbers in a Forest of nodes given by (tree, node).
struct Numbering {
  std::map<std::pair<int64_t, int64_t>, int64_t> of;
  int64_t branches = 0, leaves = 0;
  int64_t at(int64_t tree, int64_t node) const {
    const auto found = of.find({tree, node});
    if (found == of.end())
      throw Invalid("expected a node " + std::to_string(node) + " in tree " + std::to_string(tree) +
                    ", got none");
    return found->second;
  }
};
Numbering number_nodes(const std::vector<int64_t>& trees, const std::vector<int64_t>& nodes,
                       const std::vector<std::string>& modes) {
  Numbering r;
  for (const std::string& mode : modes) r.branches += mode != kLeafMode;
  int64_t branch = 0;
  for (size_t i = 0; i < nodes.size(); i++) {
    const int64_t number = modes[i] == kLeafMode ? r.branches + r.leaves++ : branch++;
    if (!r.of.emplace(std::pair{trees[i], nodes[i]}, number).second)
      throw Invalid("expected nodes of different ids, got node " + std::to_string(nodes[i]) +
                    " in tree " + std::to_string(trees[i]) + " twice");
  }
  return r;
}

// The one node of each tree that none leads to.
std::vector<int64_t> roots_of(const Forest& f, const Numbering& numbers,
                              const std::vector<int64_t>& trees,
                              const std::vector<int64_t>& nodes) {
  std::vector<bool> is_child(static_cast<size_t>(f.nodes()), false);
  for (const Forest::Branch& b : f.branches)
    is_child[static_cast<size_t>(b.if_true)] = is_child[static_cast<size_t>(b.if_false)] = true;
  std::vector<int64_t> roots;
  std::map<int64_t, int64_t> counts;
  for (size_t i = 0; i < nodes.size(); i++) {
    const int64_t node = numbers.at(trees[i], nodes[i]);
    int64_t& count = counts[trees[i]];
    if (is_child[static_cast<size_t>(node)]) continue;
    roots.push_back(node);
    count++;
  }
  for (const auto& [tree, count] : counts)
    if (count != 1)
      throw Invalid("tree " + std::to_string(tree) + ": expected one root, got " +
                    std::to_string(count));
  return roots;
}

void read_weights(Node& n, const std::string& prefix, const Numbering& numbers, Forest& f) {
  const auto trees = n.int64s(prefix + "_treeids"), nodes = n.int64s(prefix + "_nodeids");
  const auto targets = n.int64s(prefix + "_ids");
  const auto weights = list_or_tensor(n, prefix + "_weights", f.is_double);
  check_size((prefix + "_nodeids").c_str(), nodes.size(), trees.size());
  check_size((prefix + "_ids").c_str(), targets.size(), trees.size());
  check_size((prefix + "_weights").c_str(), weights.size(), trees.size());
  for (size_t i = 0; i < trees.size(); i++) {
    const int64_t leaf = numbers.at(trees[i], nodes[i]) - numbers.branches;
    // weights of branches count for nothing: no walk ends there
    if (leaf >= 0) f.weights.push_back({leaf, targets[i], weights[i]});
  }
}

}  // namespace

Forest read_forest(Node& n, const std::string& prefix) {
  Forest f;
  const auto trees = n.int64s("nodes_treeids"), nodes = n.int64s("nodes_nodeids");
  const auto features = n.int64s("nodes_featureids"), yes = n.int64s("nodes_truenodeids");
  const auto no = n.int64s("nodes_falsenodeids");
  const auto nan = n.int64s("nodes_missing_value_tracks_true");
  const auto modes = n.texts("nodes_modes");
  const auto splits = list_or_tensor(n, "nodes_values", f.is_double);
  for (const char* other : {"nodes_hitrates", "nodes_hitrates_as_tensor"}) n.ignore(other);
  const size_t count = trees.size();
  check_size("nodes_nodeids", nodes.size(), count);
  check_size("nodes_featureids", features.size(), count);
  check_size("nodes_truenodeids", yes.size(), count);
  check_size("nodes_falsenodeids", no.size(), count);
  check_size("nodes_modes", modes.size(), count);
  check_size("nodes_values", splits.size(), count);
  if (!nan.empty()) check_size("nodes_missing_value_tracks_true", nan.size(), count);
  const Numbering numbers = number_nodes(trees, nodes, modes);
  f.leaves = numbers.leaves;
  for (size_t i = 0; i < count; i++)
    if (modes[i] != kLeafMode)
      f.branches.push_back({features[i],
                            mode_of(modes[i]),
                            splits[i],
                            {},
                            !nan.empty() && nan[i] != 0,
                            numbers.at(trees[i], yes[i]),
                            numbers.at(trees[i], no[i])});
  f.roots = roots_of(f, numbers, trees, nodes);
  read_weights(n, prefix, numbers, f);
  return f;
}

Forest read_ensemble(Node& n) {
  Forest f;
  bool unused = false;
  const auto features = n.int64s("nodes_featureids");
  const auto yes = n.int64s("nodes_truenodeids"), no = n.int64s("nodes_falsenodeids");
  const auto yes_is_leaf = n.int64s("nodes_trueleafs");
  const auto no_is_leaf = n.int64s("nodes_falseleafs");
  const auto nan = n.int64s("nodes_missing_value_tracks_true");
  const auto splits = tensor_reals(n, "nodes_splits", f.is_double);
  const auto members = tensor_reals(n, "membership_values", unused);
  const auto targets = n.int64s("leaf_targetids");
  const auto weights = tensor_reals(n, "leaf_weights", f.is_double);
  n.ignore("nodes_hitrates");
  const Value mode_tensor = n.maybe_tensor("nodes_modes");
  const auto modes = mode_tensor ? n.constant_data(mode_tensor) : std::nullopt;
  const size_t count = features.size();
  if (!modes || modes->dtype != kUint8) throw Invalid("attribute 'nodes_modes': expected uint8");
  check_size("nodes_modes", modes->size, count);
  check_size("nodes_splits", splits.size(), count);
  check_size("nodes_truenodeids", yes.size(), count);
  check_size("nodes_falsenodeids", no.size(), count);
  check_size("nodes_trueleafs", yes_is_leaf.size(), count);
  check_size("nodes_falseleafs", no_is_leaf.size(), count);
  check_size("leaf_weights", weights.size(), targets.size());
  if (!nan.empty()) check_size("nodes_missing_value_tracks_true", nan.size(), count);
  const int64_t branches = static_cast<int64_t>(count);
  size_t member = 0;
  for (size_t i = 0; i < count; i++) {
    const uint8_t mode = static_cast<const uint8_t*>(modes->data)[i];
    if (mode > static_cast<uint8_t>(Mode::kMember))
      throw Invalid("attribute 'nodes_modes': expected values up to 6, got " +
                    std::to_string(mode));
    Forest::Branch b{features[i],
                     static_cast<Mode>(mode),
                     splits[i],
                     {},
                     !nan.empty() && nan[i] != 0,
                     yes[i] + (yes_is_leaf[i] ? branches : 0),
                     no[i] + (no_is_leaf[i] ? branches : 0)};
    if (b.mode == Mode::kMember) {
      while (member < members.size() && !std::isnan(members[member]))
        b.members.push_back(members[member++]);
      if (member++ == members.size())
        throw Invalid(
            "attribute 'membership_values': expected a set, ended by NaN, for each "
            "BRANCH_MEMBER");
    }
    f.branches.push_back(std::move(b));
  }
  f.roots = n.int64s("tree_roots");
  f.leaves = static_cast<int64_t>(targets.size());
  for (size_t i = 0; i < targets.size(); i++)
    f.weights.push_back({static_cast<int64_t>(i), targets[i], weights[i]});
  f.targets = n.integer("n_targets", 1);
  return f;
}

}  // namespace onnx2fx
