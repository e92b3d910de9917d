#include "core/fx/module_raiser.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "core/fx/identifier.hpp"
#include "core/fx/scopes.hpp"
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
      uses_(module.tensors.size()) {
  for (uint32_t i = 0; i < root_.nodes.size(); ++i) {
    if (!root_.nodes[i].tensor) continue;
    uses_[*root_.nodes[i].tensor] += readers(i);
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

static std::string last_part(const std::string& path) { return path.substr(path.rfind('.') + 1); }

/// Of the weight in the author's model; empty: it is not known. Where the exporter lost it, the
/// classes of torch that do not call their bias "bias" tell it by that.
std::string ModuleRaiser::own_name(const Raised& raised) const {
  if (raised.tensors.empty()) return "";
  const Tensor& weight = module_.tensors[raised.tensors[0].tensor];
  if (weight.named_by_author) return weight.path;
  if (!weight.transposed_of.empty() || raised.tensors.size() < 2) return weight.transposed_of;
  const Tensor& bias = module_.tensors[raised.tensors[1].tensor];
  const std::string part = last_part(bias.name);
  if (!bias.named_by_author || (part != "in_proj_bias" && part != "bias_ih" && part != "bias_hh"))
    return "";
  const size_t at = bias.name.size() - part.size();
  return bias.name.substr(0, at) +
         (part == "in_proj_bias" ? "in_proj_weight" : "weight" + part.substr(4));
}

/// Whether the module would hold a tensor that the author holds under another name: the
/// in_proj_weight of nn.MultiheadAttention, the weight_ih of a cell.
bool ModuleRaiser::renames(const Raised& raised) const {
  const std::string name = own_name(raised);
  if (name.empty()) return false;
  if (last_part(name) != raised.tensors[0].attribute) return true;
  return std::ranges::any_of(raised.tensors, [&](const Submodule::TensorUse& u) {
    const Tensor& t = module_.tensors[u.tensor];
    return t.named_by_author && last_part(t.name) != u.attribute;
  });
}

/// How many of these read the .t() of each tensor.
static std::map<uint32_t, size_t> transposed_reads(const std::vector<Raised>& all) {
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
      if (uses_[o.tensor] != 1) return true;
    return std::any_of(r.tensors.begin(), r.tensors.end(), [&](const Submodule::TensorUse& u) {
      return u.transposed && transposed[u.tensor] != uses_[u.tensor];
    });
  });
}

bool ModuleRaiser::is_named_by_node(const Raised& raised, const Submodule::TensorUse& use) const {
  const auto& onnx = node(raised.result).onnx;
  return onnx && module_.tensors[use.tensor].name == onnx->name + "." + use.attribute;
}

/// Several modules read it.
bool ModuleRaiser::is_tied(uint32_t tensor) const {
  return uses_[tensor] > 1 && module_.tensors[tensor].named_by_author;
}

/// A name of the author's under which none of the modules has it is where it is held.
void ModuleRaiser::hold_tied(const std::vector<bool>& placed, PathTree& tree) {
  std::vector<bool> as_named(placed.size());
  for (const Submodule& m : module_.modules)
    for (const Submodule::TensorUse& u : m.tensors)
      if (m.path + "." + u.attribute == path_of(module_.tensors[u.tensor].name))
        as_named[u.tensor] = true;
  for (uint32_t i = 0; i < placed.size(); ++i) {
    Tensor& t = module_.tensors[i];
    if (placed[i] && is_tied(i) && !as_named[i]) t.path = tree.claim(path_of(t.name));
  }
}

// "encoder.0.weight" -> "encoder.0", where all agree.
std::string ModuleRaiser::tensors_path(const Raised& raised,
                                       const std::vector<bool>& placed) const {
  std::set<std::string> prefixes;
  for (const Submodule::TensorUse& u : raised.tensors) {
    const Tensor& t = module_.tensors[u.tensor];
    const std::string path = t.role == Role::kConstant ? path_of(t.name) : t.path;
    if (placed[u.tensor] || !path.ends_with("." + u.attribute)) continue;
    if (is_named_by_node(raised, u)) continue;
    prefixes.insert(path.substr(0, path.size() - u.attribute.size() - 1));
  }
  return prefixes.size() == 1 ? *prefixes.begin() : "";
}

namespace {

bool lies_below(const std::set<std::string>& paths, const std::string& path) {
  const auto at = paths.lower_bound(path + ".");
  return at != paths.end() && at->starts_with(path + ".");
}

/// A convolution whose weight has lost its name has lost more: a normalization was folded into it.
bool keeps_its_weights(NnClass type) { return !name_of(type).starts_with("Conv"); }

}  // namespace

/// That of the ONNX node, where its module was running: one of `type` is what the node stands for.
static std::string path_in_scope(const Node& n, std::string_view type) {
  if (!n.onnx) return "";
  const std::optional<std::vector<Frame>> running = frames(*n.onnx);
  if (!running) return path_of(n.onnx->name);
  std::string path = path_of(n.onnx->name.substr(n.onnx->name.rfind('/') + 1));
  if (path.empty()) path = path_of(n.name);
  for (size_t i = running->size(); i-- > 0;)
    if ((*running)[i].type != type) return (*running)[i].path + "." + path;
  return path;
}

// A scope of the older exporter is that of the module if nothing else wants to be there or below.
void ModuleRaiser::find_scopes(const std::vector<Raised>& all) {
  std::vector<bool> by_node(module_.tensors.size());
  std::map<std::string, std::vector<uint32_t>> traced;
  std::set<std::string> paths;
  for (const Raised& r : all) {
    for (const Submodule::TensorUse& u : r.tensors)
      if (is_named_by_node(r, u)) by_node[u.tensor] = true;
    const Node& n = node(r.result);
    if (!n.onnx || !keeps_its_weights(r.type)) continue;
    if (std::string stated = stated_scope(*n.onnx, name_of(r.type)); !stated.empty()) {
      scopes_[r.result] = {std::move(stated), true, true};
    } else if (std::string scope = traced_scope(*n.onnx); !scope.empty()) {
      traced[scope].push_back(r.result);
      paths.insert(scope);
      scopes_[r.result] = {std::move(scope), false, false};
    }
  }
  for (size_t i = 0; i < by_node.size(); ++i)
    if (!by_node[i] && module_.tensors[i].role != Role::kConstant)
      paths.insert(path_of(module_.tensors[i].name));
  for (const auto& [scope, nodes] : traced)
    if (nodes.size() == 1 && !lies_below(paths, scope)) scopes_[nodes[0]].its_own = true;
}

// Where the author's module stood, else that of the tensors, else of the ONNX node.
std::string ModuleRaiser::wanted_path(const Raised& raised, const std::vector<bool>& placed) const {
  const Node& n = node(raised.result);
  const auto scope = scopes_.find(raised.result);
  if (scope != scopes_.end() && scope->second.stated) return scope->second.path;
  const bool tied = !raised.tensors.empty() && is_tied(raised.tensors[0].tensor);
  if (tied && scope != scopes_.end() && scope->second.its_own) return scope->second.path;
  if (std::string path = tensors_path(raised, placed); !path.empty()) return path;
  if (scope != scopes_.end() && scope->second.its_own) return scope->second.path;
  const std::string path = path_in_scope(n, name_of(raised.type));
  return path.empty() ? path_of(n.name) : path;
}

static bool same_uses(const std::vector<Submodule::TensorUse>& a,
                      const std::vector<Submodule::TensorUse>& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.attribute == y.attribute && x.tensor == y.tensor && x.transposed == y.transposed;
  });
}

/// The older exporter calls the scope of another call of the module at "a" "a_1".
static bool may_be_one(const std::string& first, const std::string& again) {
  if (first.empty() || again.empty() || first == again) return true;
  if (!again.starts_with(first + "_") || again.size() == first.size() + 1) return false;
  return std::all_of(again.begin() + static_cast<std::ptrdiff_t>(first.size()) + 1, again.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

// Calls with all the same tensors are calls of one module, unless the exporter tells two apart.
uint32_t ModuleRaiser::submodule(const Raised& r, std::vector<bool>& placed, PathTree& tree) {
  const std::string type(name_of(r.type));
  std::vector<uint32_t> unshared;
  std::vector<uint32_t>& candidates =
      r.tensors.empty() ? unshared : modules_of_[r.tensors[0].tensor];
  const auto scope = scopes_.find(r.result);
  const std::string place = scope == scopes_.end() ? "" : scope->second.path;
  for (const uint32_t i : candidates)
    if (const Submodule& m = module_.modules[i]; m.type == type && m.arguments == r.arguments &&
                                                 same_uses(m.tensors, r.tensors) &&
                                                 may_be_one(places_[i], place))
      return i;
  Submodule m{tree.claim(wanted_path(r, placed)), type, r.arguments, r.tensors};
  for (const Submodule::TensorUse& u : r.tensors) {
    if (!placed[u.tensor]) module_.tensors[u.tensor].path = m.path + "." + u.attribute;
    placed[u.tensor] = true;
  }
  candidates.push_back(static_cast<uint32_t>(module_.modules.size()));
  module_.modules.push_back(std::move(m));
  places_.push_back(place);
  return candidates.back();
}

void ModuleRaiser::place(const std::vector<Raised>& all) {
  PathTree tree;
  for (size_t i = 1; i < module_.programs.size(); ++i) tree.claim(module_.programs[i].name);
  std::vector<bool> placed(module_.tensors.size());
  find_scopes(all);
  for (const Raised& r : all) {
    submodules_.push_back(submodule(r, placed, tree));
    if (r.promoted) {
      module_.tensors[*r.promoted].role = Role::kParameter;
      module_.tensors[*r.promoted].requires_grad =
          module_.tensors[r.tensors[0].tensor].requires_grad;
    }
    for (const Operand& o : r.reshaped) module_.tensors[o.tensor].dims = o.dims;
  }
  hold_tied(placed, tree);
  for (size_t i = 0; i < placed.size(); ++i) {
    if (placed[i]) continue;
    Tensor& t = module_.tensors[i];
    if (t.role == Role::kConstant && tree.lies_below_leaf(t.path)) {
      std::ranges::replace(t.path, '.', '_');
      t.path.insert(0, "constants.");
    }
    t.path = tree.claim(t.path);
  }
}

/// The get_attr of a tensor that the root reads.
NodeRef ModuleRaiser::reader_of(uint32_t tensor) const {
  const auto at =
      std::ranges::find_if(root_.nodes, [&](const Node& n) { return n.tensor == tensor; });
  return {static_cast<uint32_t>(at - root_.nodes.begin())};
}

/// Whether the author's module of these weights is a class of one's own that does more with them: a
/// router that scores and picks, a norm that moves the channels to the end and back. It holds them
/// itself, and this is one of its calls. Not so where the author has them in another layout, and
/// not of statistics, which a class of torch moves.
bool ModuleRaiser::is_part(const Raised& raised) const {
  if (raised.type != NnClass::kLinear && raised.type != NnClass::kLayerNorm &&
      raised.type != NnClass::kGroupNorm && raised.type != NnClass::kEmbedding)
    return false;
  const std::string weight = own_name(raised);
  const std::optional<Frame> own = innermost(raised.result);
  if (!own || own->of_torch || own->type == name_of(raised.type) ||
      weight != own->path + "." + raised.tensors[0].attribute)
    return false;
  const Submodule::TensorUse& use = raised.tensors[0];
  if (use.transposed && (module_.tensors[use.tensor].named_by_author || uses_[use.tensor] != 1))
    return false;
  const auto is_inside = [&](uint32_t i) {
    const std::optional<Frame> at = innermost(i);
    return at && (at->path == own->path || is_below(at->path, own->path));
  };
  const NodeRef* input = raised.inputs[0].as<NodeRef>();
  return (input && is_inside(input->index)) || std::ranges::any_of(users(raised.result), is_inside);
}

/// The module of the author's that was running when the node was computed.
std::optional<Frame> ModuleRaiser::innermost(uint32_t index) const {
  const Node& n = node(index);
  const auto running = n.onnx ? frames(*n.onnx) : std::nullopt;
  return running && !running->empty() ? std::optional(running->back()) : std::nullopt;
}

/// What the modules would compute, as calls on the tensors as the author has them.
void ModuleRaiser::write_linears(const std::vector<Raised>& all) {
  std::map<uint32_t, size_t> transposed = transposed_reads(all);
  NameSet names;
  if (!all.empty())
    for (const Node& n : root_.nodes) names.claim(n.name);
  for (const Raised& r : all) {
    if (r.type != NnClass::kLinear || r.promoted) continue;
    const uint32_t weight = r.tensors[0].tensor;
    if (!r.tensors[0].transposed ||
        (!module_.tensors[weight].named_by_author && transposed[weight] == uses_[weight]))
      write_linear(r, names);
  }
}

void ModuleRaiser::write_linear(const Raised& raised, NameSet& names) {
  const Submodule::TensorUse& weight = raised.tensors[0];
  Tensor& t = module_.tensors[weight.tensor];
  if (weight.transposed && !t.transposed) {
    t.transposed = true;
    t.path = path_of(own_name(raised));
    Node& reader = root_.nodes[reader_of(weight.tensor).index];
    if (auto& shape = reader.type.shape) std::swap(shape->at(0), shape->at(1));
    reader.name = names.claim(identifier(t.path));
  }
  Node& n = root_.nodes[raised.result];
  n.target = "aten::linear";
  n.args = raised.inputs;
  for (const Submodule::TensorUse& u : raised.tensors) n.args.push_back(reader_of(u.tensor));
  n.kwargs.clear();
}

void ModuleRaiser::rewrite(const std::vector<Raised>& all) {
  for (size_t i = 0; i < all.size(); ++i) {
    Node& n = root_.nodes[all[i].result];
    n.op = Op::kCallModule;
    n.target.clear();
    n.module = submodules_[i];
    n.args = all[i].inputs;
    n.kwargs.clear();
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
  std::vector<Raised> all, open;
  for (uint32_t i = 0; i < root_.nodes.size(); ++i) {
    auto rule = rules_.find(node(i).target);
    if (rule == rules_.end()) continue;
    std::optional<Call> call = call_of(i);
    if (!call) continue;
    if (std::optional<Raised> r = rule->second(*this, *call))
      (renames(*r) || is_part(*r) ? open : all).push_back(std::move(*r));
  }
  write_linears(open);
  drop_conflicts(all);
  place(all);
  rewrite(all);
  nest_states(all);
}

}  // namespace onnx2fx::fx
