#include "core/fx/module_raiser.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "core/fx/module_paths.hpp"
#include "core/fx/open_calls.hpp"
#include "core/fx/users.hpp"

namespace onnx2fx::fx {
namespace {

std::optional<std::vector<int64_t>> literals(const Argument& a) {
  const List* list = a.as<List>();
  if (!list) return std::nullopt;
  std::vector<int64_t> values;
  for (const Argument& x : *list) {
    if (!x.as<int64_t>()) return std::nullopt;
    values.push_back(*x.as<int64_t>());
  }
  return values;
}

int64_t count(const std::vector<int64_t>& dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

/// Dims of the result of view, reshape or unsqueeze; nullopt: not literal.
std::optional<std::vector<int64_t>> reshaped(const Call& call, std::vector<int64_t> dims) {
  if (std::optional<int64_t> axis = call.integer("dim")) {
    int64_t at = *axis < 0 ? *axis + static_cast<int64_t>(dims.size()) + 1 : *axis;
    if (at < 0 || at > static_cast<int64_t>(dims.size())) return std::nullopt;
    dims.insert(dims.begin() + at, 1);
    return dims;
  }
  std::optional<std::vector<int64_t>> wanted =
      call.integers(call.schema->find("shape") ? "shape" : "size");
  if (!wanted) return std::nullopt;
  if (*wanted == std::vector<int64_t>{-1}) wanted = std::vector<int64_t>{count(dims)};
  bool same = std::all_of(wanted->begin(), wanted->end(), [](int64_t d) { return d >= 0; }) &&
              count(*wanted) == count(dims);
  return same ? wanted : std::nullopt;
}

/// Whether a call of t, transpose or permute on two dims swaps them.
bool swaps(const Call& call) {
  if (call.schema->name == "aten::t") return true;
  std::optional<std::vector<int64_t>> axes = call.integers("dims");
  if (call.schema->name == "aten::transpose.int") {
    std::optional<int64_t> a = call.integer("dim0"), b = call.integer("dim1");
    if (!a || !b) return false;
    return (*a + 2) % 2 != (*b + 2) % 2;
  }
  return axes && axes->size() == 2 && ((*axes)[0] + 2) % 2 == 1 && ((*axes)[1] + 2) % 2 == 0;
}

}  // namespace

std::string_view name_of(NnClass type) {
  static constexpr std::string_view kNames[] = {
#define NN_MODULE(name) #name,
#include "core/fx/nn_modules.def"
  };
  return kNames[static_cast<size_t>(type)];
}

std::string qualified(std::string_view type) {
  static constexpr std::string_view kOwn[] = {
#define OWN_MODULE(name) #name,
#include "core/fx/nn_modules.def"
  };
  const bool is_own = std::ranges::find(kOwn, type) != std::end(kOwn);
  return (is_own ? "" : "nn.") + std::string(type);
}

const Argument& Call::operator[](std::string_view name) const {
  static const Argument kNone;
  std::optional<size_t> i = schema->find(name);
  return i && arguments[*i] ? *arguments[*i] : kNone;
}

std::optional<int64_t> Call::integer(std::string_view name) const {
  const int64_t* i = (*this)[name].as<int64_t>();
  return i ? std::optional(*i) : std::nullopt;
}

std::optional<double> Call::number(std::string_view name) const {
  if (const double* f = (*this)[name].as<double>()) return *f;
  std::optional<int64_t> i = integer(name);
  return i ? std::optional(static_cast<double>(*i)) : std::nullopt;
}

std::optional<std::vector<int64_t>> Call::integers(std::string_view name, size_t count) const {
  std::optional<std::vector<int64_t>> values = literals((*this)[name]);
  if (std::optional<int64_t> one = integer(name)) values = std::vector<int64_t>{*one};
  if (!values || count == 0) return values;
  if (values->size() == 1) values->resize(count, values->front());
  return values->size() == count ? values : std::nullopt;
}

ModuleRaiser::ModuleRaiser(Module& module, const std::map<std::string_view, Rule>& rules)
    : module_(module),
      root_(module.programs[0]),
      rules_(rules),
      users_(users_of(root_)),
      readers_(module.tensors.size()) {
  for (uint32_t i = 0; i < root_.nodes.size(); ++i) {
    if (!root_.nodes[i].tensor) continue;
    readers_[*root_.nodes[i].tensor] += readers(i);
  }
}

std::optional<Call> ModuleRaiser::call_of(uint32_t index) const {
  const Node& n = node(index);
  if (n.op != Op::kCallFunction) return std::nullopt;
  const Schema* schema = find_schema(n.target);
  if (!schema) return std::nullopt;
  auto arguments = bind_arguments(*schema, n);
  if (!arguments) return std::nullopt;
  return Call{index, schema, std::move(*arguments)};
}

bool ModuleRaiser::is_view(uint32_t index) const {
  static const std::set<std::string_view> kViews = {"aten::t",       "aten::transpose.int",
                                                    "aten::permute", "aten::view",
                                                    "aten::reshape", "aten::unsqueeze"};
  return kViews.contains(node(index).target);
}

size_t ModuleRaiser::readers(uint32_t index) const {
  size_t n = 0;
  for (uint32_t user : users_[index]) n += is_view(user) ? readers(user) : 1;
  return n;
}

std::optional<Operand> ModuleRaiser::view(uint32_t index, Role role) const {
  std::optional<Call> call = call_of(index);
  if (!call) return std::nullopt;
  std::optional<Operand> o = operand((*call)["self"], role);
  if (!o || o->swapped) return std::nullopt;
  const std::string& target = node(index).target;
  if (target == "aten::view" || target == "aten::reshape" || target == "aten::unsqueeze") {
    std::optional<std::vector<int64_t>> dims = reshaped(*call, o->dims);
    if (!dims) return std::nullopt;
    o->dims = *dims;
    o->reshaped = true;
    return o;
  }
  if (o->dims.size() != 2 || o->reshaped || !swaps(*call)) return std::nullopt;
  o->swapped = true;
  std::swap(o->dims[0], o->dims[1]);
  return o;
}

std::optional<Operand> ModuleRaiser::operand(const Argument& a, Role role) const {
  const NodeRef* ref = a.as<NodeRef>();
  if (!ref) return std::nullopt;
  const Node& n = node(ref->index);
  if (n.op == Op::kGetAttr && n.tensor) {
    const Tensor& tensor = module_.tensors[*n.tensor];
    if (tensor.role != role) return std::nullopt;
    return Operand{*n.tensor, tensor.dims};
  }
  return is_view(ref->index) ? view(ref->index, role) : std::nullopt;
}

std::optional<Operand> ModuleRaiser::stored(const Argument& a, Role role) const {
  const NodeRef* ref = a.as<NodeRef>();
  if (!ref || node(ref->index).op != Op::kGetAttr) return std::nullopt;
  return operand(a, role);
}

std::optional<std::vector<std::string>> ModuleRaiser::shape(const Argument& a) const {
  const NodeRef* ref = a.as<NodeRef>();
  return ref ? node(ref->index).type.shape : std::nullopt;
}

std::map<uint32_t, size_t> transposed_reads(const std::vector<Raised>& all) {
  std::map<uint32_t, size_t> reads;
  for (const Raised& r : all)
    for (const Submodule::TensorUse& u : r.tensors) reads[u.tensor] += u.transposed;
  return reads;
}

// A module can hold .t() of a tensor, or a tensor with other dims, only where nobody reads it as it
// is stored.
void ModuleRaiser::drop_conflicts(std::vector<Raised>& all) const {
  std::map<uint32_t, size_t> transposed = transposed_reads(all);
  std::erase_if(all, [&](const Raised& r) {
    for (const Operand& o : r.reshaped)
      if (readers_[o.tensor] != 1) return true;
    return std::any_of(r.tensors.begin(), r.tensors.end(), [&](const Submodule::TensorUse& u) {
      return u.transposed && transposed[u.tensor] != readers_[u.tensor];
    });
  });
}

void ModuleRaiser::rewrite(const std::vector<Raised>& all,
                           const std::vector<uint32_t>& submodules) {
  for (size_t i = 0; i < all.size(); ++i) {
    Node& n = root_.nodes[all[i].result];
    n.op = Op::kCallModule;
    n.target.clear();
    n.module = submodules[i];
    n.args = all[i].inputs;
    n.kwargs.clear();
    if (!all[i].rows) continue;
    Node& flat = root_.nodes[all[i].rows->first];
    flat.args[1] = all[i].rows->second;
    flat.type.shape = n.type.shape;
    flat.type.shape->back() = std::to_string(*all[i].rows->second.back().as<int64_t>());
  }
}

// getitem(lstm, k) becomes getitem(getitem(lstm, 1), k - 1) for k > 0.
void ModuleRaiser::nest_states(const std::vector<Raised>& all) {
  std::map<uint32_t, uint32_t> state;  // call, as it was numbered -> its state node
  std::set<std::string> names;
  for (const Raised& r : all) {
    if (r.nested_state) state[r.result] = 0;
  }
  if (state.empty()) return;
  for (const Node& n : root_.nodes) names.insert(n.name);
  std::vector<Node> nodes;
  std::vector<uint32_t> place(root_.nodes.size());
  for (uint32_t i = 0; i < root_.nodes.size(); ++i) {
    Node n = std::move(root_.nodes[i]);
    const NodeRef* from = n.target == "operator::getitem" ? n.args[0].as<NodeRef>() : nullptr;
    int64_t* item = from && state.contains(from->index) ? n.args[1].as<int64_t>() : nullptr;
    if (item && *item > 0) {
      n.args = {NodeRef{state[from->index]}, *item - 1};
    } else {
      for_each_ref(n, [&](NodeRef& r) { r.index = place[r.index]; });
    }
    place[i] = static_cast<uint32_t>(nodes.size());
    nodes.push_back(std::move(n));
    if (!state.contains(i)) continue;
    state[i] = static_cast<uint32_t>(nodes.size());
    Node pair{Op::kCallFunction, nodes.back().name + "_state", "operator::getitem"};
    while (!names.insert(pair.name).second) pair.name += "_";
    pair.args = {NodeRef{place[i]}, int64_t{1}};
    pair.onnx = nodes.back().onnx;
    nodes.push_back(std::move(pair));
  }
  root_.nodes = std::move(nodes);
}

void ModuleRaiser::run() {
  OpenCalls open(module_, *this);
  std::vector<Raised> all;
  for (uint32_t i = 0; i < root_.nodes.size(); ++i) {
    auto rule = rules_.find(node(i).target);
    if (rule == rules_.end()) continue;
    std::optional<Call> call = call_of(i);
    if (!call) continue;
    std::optional<Raised> r = rule->second(*this, *call);
    if (r && !open.take(*r)) all.push_back(std::move(*r));
  }
  open.write();
  drop_conflicts(all);
  rewrite(all, place_modules(module_, *this, all));
  nest_states(all);
}

}  // namespace onnx2fx::fx
