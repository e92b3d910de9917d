#include "core/fx/blocks/flat.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "core/fx/paths.hpp"

namespace onnx2fx::fx::blocks {
namespace {

/// Paths of nn modules and tensors: nothing can stand there or below.
class Leaves {
 public:
  explicit Leaves(const Module& module) {
    for (const Submodule& m : module.modules) paths_.insert(m.path);
    for (const Tensor& t : module.tensors) paths_.insert(t.path);
  }

  bool in_the_way_of(const std::string& path) const {
    for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1))
      if (paths_.contains(path.substr(0, dot))) return true;
    return paths_.contains(path);
  }

 private:
  std::set<std::string> paths_;
};

class Reader {
 public:
  Reader(const Module& module, Open& open) : module_(module), open_(open), leaves_(module) {}

  Flat read() {
    Flat flat;
    std::vector<std::optional<Scope>> told;
    for (const Node& n : module_.programs[0].nodes)
      told.push_back(is_placed_by_users(n) ? std::nullopt : told_scope(n));
    flat.frames = std::move(frames_);
    if (flat.frames.empty()) return flat;
    flat.nodes = module_.programs[0].nodes;
    flat.scopes = spread(told, flat);
    return flat;
  }

 private:
  bool is_placed_by_users(const Node& n) const {
    return n.op == Op::kGetAttr || (n.op == Op::kCallFunction && is_number(n));
  }

  /// nullopt: nothing was told of the node.
  std::optional<Scope> told_scope(const Node& n) {
    if (n.op == Op::kPlaceholder || n.op == Op::kOutput) return Scope();
    if (!n.onnx) return std::nullopt;
    const auto [at, is_new] = told_.try_emplace(n.onnx.get());
    if (is_new) at->second = scope_of(*n.onnx);
    return at->second;
  }

  std::optional<Scope> scope_of(const Provenance& onnx) {
    const std::optional<std::vector<Frame>> stack = frames(onnx);
    if (!stack) return std::nullopt;
    Scope scope;
    for (const Frame& frame : *stack) {
      if (leaves_.in_the_way_of(frame.path)) break;
      if (open_.contains(frame.path)) continue;
      if (!scope.empty() && !is_below(frame.path, frames_[scope.back()].path)) {
        open_[frame.path] = "it is called by " + frames_[scope.back()].path + ", and lies outside";
        continue;
      }
      scope.push_back(intern(frame));
    }
    return scope;
  }

  uint32_t intern(const Frame& frame) {
    const auto [at, is_new] = ids_.try_emplace(frame.path, static_cast<uint32_t>(frames_.size()));
    if (is_new) frames_.push_back(frame);
    return at->second;
  }

  /// A block calls its own modules, and holds its own weights: path of what the node needs to be
  /// below it; null: it does not matter.
  const std::string* needed_path(const Node& n) const {
    if (n.module) return &module_.modules[*n.module].path;
    if (n.tensor && !can_be_moved(module_.tensors[*n.tensor]))
      return &module_.tensors[*n.tensor].path;
    return nullptr;
  }

  std::vector<Scope> spread(const std::vector<std::optional<Scope>>& told, const Flat& flat) const {
    std::vector<Scope> scopes(told.size());
    std::vector<std::optional<Scope>> of_users(told.size());  // what all have in common
    for (size_t i = told.size(); i-- > 0;) {
      const Node& n = flat.nodes[i];
      if (told[i])
        scopes[i] = *told[i];
      else if (of_users[i])
        scopes[i] = *of_users[i];
      if (const std::string* path = needed_path(n)) {
        const auto beside = std::ranges::find_if(
            scopes[i], [&](uint32_t f) { return !is_below(*path, flat.frames[f].path); });
        scopes[i].erase(beside, scopes[i].end());
      }
      for_each_ref(n, [&](NodeRef r) { narrow(of_users[r.index], scopes[i]); });
    }
    unite_weights(scopes, flat);
    return scopes;
  }

  /// A weight that several nodes read has one place.
  void unite_weights(std::vector<Scope>& scopes, const Flat& flat) const {
    std::map<uint32_t, std::optional<Scope>> common;
    for (const bool write : {false, true})
      for (size_t i = 0; i < scopes.size(); i++) {
        const Node& n = flat.nodes[i];
        if (!n.tensor || module_.tensors[*n.tensor].role == Role::kConstant) continue;
        if (write)
          scopes[i] = *common[*n.tensor];
        else
          narrow(common[*n.tensor], scopes[i]);
      }
  }

  static void narrow(std::optional<Scope>& common, const Scope& scope) {
    if (!common) {
      common = scope;
      return;
    }
    const auto differs = std::mismatch(common->begin(), common->end(), scope.begin(), scope.end());
    common->erase(differs.first, common->end());
  }

  const Module& module_;
  Open& open_;
  Leaves leaves_;
  std::vector<Frame> frames_;
  std::map<std::string, uint32_t> ids_;
  std::unordered_map<const Provenance*, std::optional<Scope>> told_;
};

}  // namespace

bool is_size_of_tensor(const Node& n) {
  return n.target == "torch.Tensor::size" && n.args.size() == 2 && n.args[0].as<NodeRef>() &&
         n.args[1].as<int64_t>();
}

bool is_number(const Node& node) { return node.type.dtype.empty() && !node.type.shape; }

// The older exporter calls "onnx::Mul_12" what it computed of weights.
bool can_be_moved(const Tensor& tensor) {
  return tensor.role == Role::kConstant || (tensor.name.find("::") != std::string::npos &&
                                            tensor.path.find('.') == std::string::npos);
}

Flat flat_program(const Module& module, Open& open) { return Reader(module, open).read(); }

}  // namespace onnx2fx::fx::blocks
