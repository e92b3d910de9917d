#include "core/fx/module_paths.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "core/fx/paths.hpp"
#include "core/fx/scopes.hpp"

namespace onnx2fx::fx {
namespace {

class ModulePaths {
 public:
  ModulePaths(Module& module, const ModuleRaiser& calls)
      : module_(module), calls_(calls), placed_(module.tensors.size()) {}
  std::vector<uint32_t> place(const std::vector<Raised>& all);

 private:
  /// Where the author's module stood.
  struct Scope {
    std::string path;
    bool stated;   ///< by the exporter, with the class
    bool its_own;  ///< no other module wants to be there or below
  };

  void find_scopes(const std::vector<Raised>& all);
  uint32_t submodule(const Raised& raised);
  /// The lowering made the tensor's name of the node's: it says nothing.
  bool is_named_by_node(const Raised& raised, const Submodule::TensorUse& use) const;
  bool is_tied(uint32_t tensor) const;
  bool holds_tied_weight(const Raised& raised) const {
    return !raised.tensors.empty() && is_tied(raised.tensors[0].tensor);
  }
  bool is_all_of(const std::string& scope, const Raised& raised);
  std::string tensors_path(const Raised& raised) const;
  std::string wanted_path(const Raised& raised) const;
  void hold_tied();
  void place_others();

  Module& module_;
  const ModuleRaiser& calls_;
  PathTree tree_;
  std::vector<bool> placed_;                ///< tensors that a module holds
  std::map<std::string, size_t> calls_in_;  ///< each scope; empty until it is asked for
  std::map<uint32_t, Scope> scopes_;        ///< of nodes that become modules
  std::vector<std::string> places_;         ///< the scope of each module; empty: not known
  std::unordered_map<uint32_t, std::vector<uint32_t>> modules_of_;  ///< by their first tensor
};

bool ModulePaths::is_named_by_node(const Raised& raised, const Submodule::TensorUse& use) const {
  const auto& onnx = calls_.node(raised.result).onnx;
  return onnx && module_.tensors[use.tensor].name == onnx->name + "." + use.attribute;
}

/// Several modules read it.
bool ModulePaths::is_tied(uint32_t tensor) const {
  return calls_.readers_of(tensor) > 1 && module_.tensors[tensor].named_by_author;
}

/// A name of the author's under which none of the modules has it is where it is held.
void ModulePaths::hold_tied() {
  std::vector<bool> as_named(placed_.size());
  for (const Submodule& m : module_.modules)
    for (const Submodule::TensorUse& u : m.tensors)
      if (m.path + "." + u.attribute == path_of(module_.tensors[u.tensor].name))
        as_named[u.tensor] = true;
  for (uint32_t i = 0; i < placed_.size(); ++i) {
    Tensor& t = module_.tensors[i];
    if (placed_[i] && is_tied(i) && !as_named[i]) t.path = tree_.claim(path_of(t.name));
  }
}

// "encoder.0.weight" -> "encoder.0", where all agree.
std::string ModulePaths::tensors_path(const Raised& raised) const {
  std::set<std::string> prefixes;
  for (const Submodule::TensorUse& u : raised.tensors) {
    const Tensor& t = module_.tensors[u.tensor];
    const std::string path = t.role == Role::kConstant ? path_of(t.name) : t.path;
    if (placed_[u.tensor] || !path.ends_with("." + u.attribute)) continue;
    if (is_named_by_node(raised, u)) continue;
    prefixes.insert(path.substr(0, path.size() - u.attribute.size() - 1));
  }
  return prefixes.size() == 1 ? *prefixes.begin() : "";
}

bool lies_below(const std::set<std::string>& paths, const std::string& path) {
  const auto at = paths.lower_bound(path + ".");
  return at != paths.end() && at->starts_with(path + ".");
}

/// A convolution whose weight has lost its name has lost more: a normalization was folded into it.
bool keeps_its_weights(NnClass type) { return !name_of(type).starts_with("Conv"); }

/// That of the ONNX node, where its module was running: one of `type` is what the node stands for.
std::string path_in_scope(const Node& n, std::string_view type) {
  if (!n.onnx) return "";
  const std::optional<std::vector<Frame>> running = frames(*n.onnx);
  if (!running) return path_of(n.onnx->name);
  std::string path = path_of(n.onnx->name.substr(n.onnx->name.rfind('/') + 1));
  if (path.empty()) path = path_of(n.name);
  for (size_t i = running->size(); i-- > 0;)
    if ((*running)[i].type != type) return (*running)[i].path + "." + path;
  return path;
}

/// That of the module that was running, as the older exporter names it, or of one of the author's
/// own classes; empty: it is not known, or one of torch's.
std::string own_scope(const Node& n) {
  if (std::string traced = traced_scope(*n.onnx); !traced.empty()) return traced;
  const std::optional<std::vector<Frame>> running = frames(*n.onnx);
  if (!running || running->empty() || running->back().of_torch) return "";
  return running->back().path;
}

bool is_call_in(const std::string& scope, const Node& n) {
  return n.onnx && n.op == Op::kCallFunction && own_scope(n) == scope;
}

/// Whether nothing but the module's call was computed in its scope: a class of the author's that
/// does what one of torch's does.
bool ModulePaths::is_all_of(const std::string& scope, const Raised& raised) {
  if (calls_in_.empty())
    for (const Node& n : module_.programs[0].nodes)
      if (n.onnx && n.op == Op::kCallFunction) ++calls_in_[own_scope(n)];
  std::set<uint32_t> own{raised.result};
  for_each_ref(calls_.node(raised.result), [&](const NodeRef& r) {
    if (calls_.users(r.index).size() == 1) own.insert(r.index);
  });
  const auto in_scope = [&](uint32_t i) { return is_call_in(scope, calls_.node(i)); };
  return static_cast<size_t>(std::ranges::count_if(own, in_scope)) == calls_in_[scope];
}

// A scope without the class of torch is that of the module if nothing else wants to be there or
// below.
void ModulePaths::find_scopes(const std::vector<Raised>& all) {
  std::vector<bool> by_node(module_.tensors.size());
  std::map<std::string, std::vector<const Raised*>> open;
  std::set<std::string> paths;
  for (const Raised& r : all) {
    for (const Submodule::TensorUse& u : r.tensors)
      if (is_named_by_node(r, u)) by_node[u.tensor] = true;
    const Node& n = calls_.node(r.result);
    if (!n.onnx || !keeps_its_weights(r.type)) continue;
    if (std::string stated = stated_scope(*n.onnx, name_of(r.type)); !stated.empty()) {
      scopes_[r.result] = {std::move(stated), true, true};
    } else if (std::string scope = own_scope(n); !scope.empty()) {
      open[scope].push_back(&r);
      paths.insert(scope);
      scopes_[r.result] = {std::move(scope), false, false};
    }
  }
  for (size_t i = 0; i < by_node.size(); ++i)
    if (!by_node[i] && module_.tensors[i].role != Role::kConstant)
      paths.insert(path_of(module_.tensors[i].name));
  for (const auto& [scope, raised] : open)
    if (raised.size() == 1 && !lies_below(paths, scope) &&
        (!traced_scope(*calls_.node(raised[0]->result).onnx).empty() ||
         holds_tied_weight(*raised[0]) || is_all_of(scope, *raised[0])))
      scopes_[raised[0]->result].its_own = true;
}

// Where the author's module stood, else that of the tensors, else of the ONNX node.
std::string ModulePaths::wanted_path(const Raised& raised) const {
  const Node& n = calls_.node(raised.result);
  const auto scope = scopes_.find(raised.result);
  if (scope != scopes_.end() && scope->second.stated) return scope->second.path;
  const bool its_own = scope != scopes_.end() && scope->second.its_own;
  std::string by_tensors = tensors_path(raised);
  // the scope of a module that its parent's parent calls lacks the parent
  const bool is_end = its_own && by_tensors.ends_with("." + scope->second.path);
  if (its_own && holds_tied_weight(raised) && !is_end) return scope->second.path;
  if (!by_tensors.empty()) return by_tensors;
  if (its_own) return scope->second.path;
  const std::string path = path_in_scope(n, name_of(raised.type));
  return path.empty() ? path_of(n.name) : path;
}

bool same_uses(const std::vector<Submodule::TensorUse>& a,
               const std::vector<Submodule::TensorUse>& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.attribute == y.attribute && x.tensor == y.tensor && x.transposed == y.transposed;
  });
}

/// The older exporter calls the scope of another call of the module at "a" "a_1".
bool may_be_one(const std::string& first, const std::string& again) {
  if (first.empty() || again.empty() || first == again) return true;
  if (!again.starts_with(first + "_") || again.size() == first.size() + 1) return false;
  return std::all_of(again.begin() + static_cast<std::ptrdiff_t>(first.size()) + 1, again.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

// Calls with all the same tensors are calls of one module, unless the exporter tells two apart.
uint32_t ModulePaths::submodule(const Raised& r) {
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
  Submodule m{tree_.claim(wanted_path(r)), type, r.arguments, r.tensors};
  for (const Submodule::TensorUse& u : r.tensors) {
    if (!placed_[u.tensor]) module_.tensors[u.tensor].path = m.path + "." + u.attribute;
    placed_[u.tensor] = true;
  }
  candidates.push_back(static_cast<uint32_t>(module_.modules.size()));
  module_.modules.push_back(std::move(m));
  places_.push_back(place);
  return candidates.back();
}

std::vector<uint32_t> ModulePaths::place(const std::vector<Raised>& all) {
  std::vector<uint32_t> submodules;
  for (size_t i = 1; i < module_.programs.size(); ++i) tree_.claim(module_.programs[i].name);
  find_scopes(all);
  for (const Raised& r : all) {
    submodules.push_back(submodule(r));
    if (r.promoted) {
      module_.tensors[*r.promoted].role = Role::kParameter;
      module_.tensors[*r.promoted].requires_grad =
          module_.tensors[r.tensors[0].tensor].requires_grad;
    }
    for (const Operand& o : r.reshaped) module_.tensors[o.tensor].dims = o.dims;
  }
  hold_tied();
  place_others();
  return submodules;
}

void ModulePaths::place_others() {
  for (size_t i = 0; i < placed_.size(); ++i) {
    if (placed_[i]) continue;
    Tensor& t = module_.tensors[i];
    if (t.role == Role::kConstant && tree_.lies_below_leaf(t.path)) {
      std::ranges::replace(t.path, '.', '_');
      t.path.insert(0, "constants.");
    }
    t.path = tree_.claim(t.path);
  }
}

}  // namespace

std::vector<uint32_t> place_modules(Module& module, const ModuleRaiser& calls,
                                    const std::vector<Raised>& all) {
  return ModulePaths(module, calls).place(all);
}

}  // namespace onnx2fx::fx
