#include "core/convert/evidence.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_set>

#include "core/fx/schema.hpp"

namespace onnx2fx::conversion {
namespace {

using fx::Node;

template <size_t N>
bool among(const std::array<std::string_view, N>& names, const Node& node) {
  if (node.op != fx::Op::kCallFunction) return false;
  const std::string_view name = fx::without_overload(node.target);
  return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr auto kPhase = std::to_array<std::string_view>(
    {"aten::sin", "aten::cos", "aten::eq", "aten::ne", "aten::lt", "aten::le", "aten::gt",
     "aten::ge", "aten::isinf", "aten::isnan", "aten::logical_not", "aten::logical_and",
     "aten::logical_or", "aten::logical_xor"});
constexpr auto kLinear = std::to_array<std::string_view>(
    {"aten::mul", "aten::matmul", "aten::div", "aten::neg", "aten::add", "aten::sub"});
constexpr auto kView = std::to_array<std::string_view>(
    {"aten::view",   "aten::reshape",   "aten::permute", "aten::transpose",    "aten::t",
     "aten::expand", "aten::unsqueeze", "aten::squeeze", "aten::slice",        "aten::select",
     "aten::to",     "aten::cat",       "aten::stack",   "aten::flatten",      "aten::clone",
     "aten::alias",  "aten::repeat",    "aten::tile",    "aten::broadcast_to", "aten::detach"});
constexpr auto kSoftmax = std::to_array<std::string_view>({"aten::softmax"});
constexpr auto kSum = std::to_array<std::string_view>({"aten::add"});

}  // namespace

bool Evidence::is_float(const fx::Tensor& t) const {
  return t.dtype.starts_with("float") || t.dtype == "bfloat16";
}

Evidence::Evidence(const fx::Module& module)
    : module_(module), places_(module.tensors.size()), readers_(module.tensors.size()) {
  for (const fx::Program& p : module.programs) {
    first_of_.push_back(static_cast<Id>(nodes_.size()));
    for (const Node& n : p.nodes) nodes_.push_back(&n);
  }
  users_.resize(nodes_.size());
  operands_.resize(nodes_.size());
  for (uint32_t p = 0; p < module.programs.size(); p++)
    for (size_t i = 0; i < module.programs[p].nodes.size(); i++)
      connect(first_of_[p] + static_cast<Id>(i), module.programs[p].nodes[i], p);
  data_.resize(nodes_.size());
  for (Id id = 0; id < nodes_.size(); id++) data_[id] = data_of(id);
  for (uint32_t t = 0; t < places_.size(); t++) {
    std::vector<Id> todo = places_[t];
    for (size_t i = 0; i < todo.size(); i++)
      for (const Id user : users_[todo[i]]) {
        if (nodes_[user]->op == fx::Op::kPlaceholder)
          todo.push_back(user);
        else
          readers_[t].push_back(nodes_[user]);
      }
  }
}

void Evidence::connect(Id id, const Node& node, uint32_t program) {
  if (node.op == fx::Op::kGetAttr && node.tensor) places_[*node.tensor].push_back(id);
  for_each_ref(node, [&](fx::NodeRef r) {
    const Id operand = first_of_[program] + r.index;
    operands_[id].push_back(operand);
    users_[operand].push_back(id);
  });
  connect_programs(id, node);
}

// The lists of a higher-order call are, one after the other, the placeholders of its programs.
void Evidence::connect_programs(Id id, const Node& node) {
  std::vector<Id> passed;
  const Id base = *std::prev(std::upper_bound(first_of_.begin(), first_of_.end(), id));
  for (const fx::Argument& a : node.args)
    if (const fx::List* list = a.as<fx::List>())
      for (const fx::Argument& x : *list)
        if (const fx::NodeRef* r = x.as<fx::NodeRef>()) passed.push_back(base + r->index);
  for (const fx::Argument& a : node.args) {
    const fx::ProgramRef* p = a.as<fx::ProgramRef>();
    if (!p || p->index >= first_of_.size()) continue;
    const auto& inner = module_.programs[p->index].nodes;
    for (size_t k = 0; k < passed.size() && k < inner.size(); k++)
      if (inner[k].op == fx::Op::kPlaceholder) {
        const Id formal = first_of_[p->index] + static_cast<Id>(k);
        operands_[formal].push_back(passed[k]);
        users_[passed[k]].push_back(formal);
      }
  }
}

int64_t Evidence::data_of(Id id) const {
  const Node& n = *nodes_[id];
  if (n.op == fx::Op::kGetAttr && n.tensor) {
    const fx::Tensor& t = module_.tensors[*n.tensor];
    const bool scalar = std::all_of(t.dims.begin(), t.dims.end(), [](int64_t d) { return d == 1; });
    return is_float(t) && !scalar ? int64_t{*n.tensor} : kNothing;
  }
  if (n.op == fx::Op::kPlaceholder && operands_[id].empty()) {
    const auto port = std::find_if(module_.inputs.begin(), module_.inputs.end(),
                                   [&](const fx::Port& p) { return p.name == n.name; });
    if (port == module_.inputs.end()) return kMuch;
    const std::string& dtype = port->type.dtype;
    return dtype.starts_with("int") || dtype.starts_with("uint") || dtype == "bool" ? kNothing
                                                                                    : kMuch;
  }
  int64_t all = kNothing;
  for (const Id o : operands_[id]) {
    if (o >= id && n.op != fx::Op::kPlaceholder) return kMuch;
    const int64_t one = o < id ? data_[o] : kMuch;
    if (one == kNothing || one == all) continue;
    all = all == kNothing ? one : kMuch;
  }
  for (const fx::Argument& a : n.args)
    if (a.as<fx::ProgramRef>()) return kMuch;
  return all;
}

// Whether every path from the tensor ends where `ends` says so: it answers "end", "go on" or, with
// neither, "no".
template <class Ends>
bool Evidence::all_paths_end(uint32_t tensor, Ends ends) const {
  constexpr size_t kMaxVisits = 4096;
  std::vector<Id> todo = places_[tensor];
  std::unordered_set<Id> seen(todo.begin(), todo.end());
  bool ended = false;
  for (size_t i = 0; i < todo.size(); i++) {
    if (i > kMaxVisits) return false;
    for (const Id user : users_[todo[i]]) {
      switch (ends(user)) {
        case 0:
          return false;
        case 1:
          if (seen.insert(user).second) todo.push_back(user);
          break;
        default:
          ended = true;
      }
    }
  }
  return ended;
}

std::string Evidence::against_weight(uint32_t tensor) const {
  const bool phase = all_paths_end(tensor, [&](Id id) {
    const Node& n = *nodes_[id];
    if (among(kPhase, n)) return 2;
    const bool passes = n.op == fx::Op::kPlaceholder || among(kView, n) || among(kLinear, n);
    return passes && data_[id] == int64_t{tensor} ? 1 : 0;
  });
  if (phase) return "it only feeds sin, cos or comparisons";
  const std::vector<int64_t>& dims = module_.tensors[tensor].dims;
  const bool one_plane = dims.size() >= 2 && std::all_of(dims.begin(), dims.end() - 2,
                                                         [](int64_t d) { return d == 1; });
  if (!one_plane) return "";
  const bool mask = all_paths_end(tensor, [&](Id id) {
    const Node& n = *nodes_[id];
    if (among(kSoftmax, n)) return 2;
    return n.op == fx::Op::kPlaceholder || among(kView, n) || among(kSum, n) ? 1 : 0;
  });
  return mask ? "it is a mask of softmax" : "";
}

}  // namespace onnx2fx::conversion
