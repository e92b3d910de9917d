#include "tools/onnx2fx/model_facts.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/fx/scopes.hpp"
#include "core/weights/weights.hpp"
#include "tools/onnx2fx/macs.hpp"
#include "tools/onnx2fx/summary.hpp"

namespace onnx2fx::cli {
namespace {

uint64_t elements(const fx::Tensor& t) { return product(t.dims).value_or(0); }

Weights weights_of(const fx::Module& module, fx::Role role) {
  Weights all;
  for (const fx::Tensor& t : module.tensors) {
    if (t.role != role) continue;
    ++all.tensors;
    all.elements += elements(t);
    all.bytes += times(elements(t), weights::element_size(t.dtype)).value_or(0);
    all.elements_by_dtype[t.dtype] += elements(t);
  }
  return all;
}

/// "scaled_dot_product_attention" of "torch.nn.functional::scaled_dot_product_attention".
std::string function_name(std::string_view target) {
  const std::string_view name = aten_name(target);
  const size_t colons = name.rfind("::");
  return std::string(colons == std::string_view::npos ? name : name.substr(colons + 2));
}

/// Where the dims have sizes, those.
fx::TypeText at_sizes(fx::TypeText type, SymbolicSizes& sizes) {
  if (type.shape)
    for (std::string& dim : *type.shape)
      if (const auto size = sizes.of(dim)) dim = std::to_string(*size);
  return type;
}

/// Of a call of several results that of the first.
fx::TypeText output_of(const fx::Program& program, uint32_t node) {
  const fx::TypeText& own = program.nodes[node].type;
  if (own.shape) return own;
  for (const fx::Node& n : program.nodes)
    if (n.target == "operator::getitem" && n.args.size() == 2 &&
        n.args[0] == fx::Argument(fx::NodeRef{node}) && n.args[1] == fx::Argument(int64_t{0}))
      return n.type;
  return own;
}

/// Of a path too deep to be an author's: the model.
std::string parent_of(const std::string& path) {
  constexpr int64_t kDeepest = 100;
  const size_t dot = path.rfind('.');
  const bool none = dot == std::string::npos || std::ranges::count(path, '.') > kDeepest;
  return none ? "" : path.substr(0, dot);
}

std::string below(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

class Gathering {
 public:
  Gathering(ModelFacts& facts, const fx::Module& module, SymbolicSizes& sizes)
      : facts_(facts), module_(module), sizes_(sizes) {
    facts_.parts.push_back({"", "", {}, {}, 0, 0});
    places_[""] = 0;
    tensors_.emplace_back();
    for (const fx::Submodule& m : module.modules)
      if (m.program) blocks_[m.program->index] = m.path;
  }

  void gather() {
    for (const Call& c : facts_.costs.calls) add(c);
    for (uint32_t i = 0; i < module_.tensors.size(); ++i) {
      const auto place = places_.find(parent_of(module_.tensors[i].path));
      tensors_[place == places_.end() ? 0 : place->second].insert(i);
    }
    sum_up();
  }

 private:
  void add(const Call& c) {
    const fx::Program& program = module_.programs[c.program];
    const fx::Node& n = program.nodes[c.node];
    const fx::Submodule* m = n.module ? &module_.modules[*n.module] : nullptr;
    const fx::TypeText output = at_sizes(output_of(program, c.node), sizes_);
    const std::string around = name_modules_around(n, blocks_[c.program], output);
    if (!m && c.macs == Amount(0)) return;
    const std::string path = m ? m->path : below(around, n.name);
    const size_t at = part(path);
    Part& p = facts_.parts[at];
    p.type = m ? m->type : function_name(n.target);
    if (output.shape) p.output = output;
    p.macs = plus(p.macs, times(c.macs, c.times));
    if (m && m->program) return;
    if (m)
      for (const auto& use : m->tensors) tensors_[at].insert(use.tensor);
    facts_.layers.push_back({path, p.type, output, parameters_of(tensors_[at]), c.macs, c.times});
  }

  /// The path of the innermost. Each gives what the last call in it gives.
  std::string name_modules_around(const fx::Node& n, const std::string& block,
                                  const fx::TypeText& output) {
    if (!n.onnx) return block;
    const auto frames = fx::frames(*n.onnx);
    if (!frames || frames->empty()) return block;
    for (const fx::Frame& f : *frames) {
      Part& p = facts_.parts[part(f.path)];
      if (p.type.empty()) p.type = f.type;
      if (output.shape) p.output = output;
    }
    return frames->back().path;
  }

  size_t part(const std::string& path) {
    // Ancestors that are missing, the innermost first.
    std::vector<std::string> missing;
    std::string at = path;
    while (!places_.contains(at)) {
      missing.push_back(at);
      at = parent_of(at);
    }
    size_t place = places_[at];
    for (auto name = missing.rbegin(); name != missing.rend(); ++name) {
      facts_.parts[place].children.push_back(facts_.parts.size());
      place = facts_.parts.size();
      places_[*name] = place;
      facts_.parts.push_back({*name, "", {}, {}, 0, 0});
      tensors_.emplace_back();
    }
    return place;
  }

  /// Parents stand before their children.
  void sum_up() {
    for (size_t i = facts_.parts.size(); i-- > 0;) {
      Part& p = facts_.parts[i];
      for (const size_t child : p.children) {
        p.macs = plus(p.macs, facts_.parts[child].macs);
        tensors_[i].insert(tensors_[child].begin(), tensors_[child].end());
      }
      p.parameters = parameters_of(tensors_[i]);
    }
  }

  uint64_t parameters_of(const std::set<uint32_t>& tensors) const {
    uint64_t all = 0;
    for (const uint32_t i : tensors)
      if (module_.tensors[i].role == fx::Role::kParameter) all += elements(module_.tensors[i]);
    return all;
  }

  ModelFacts& facts_;
  const fx::Module& module_;
  SymbolicSizes& sizes_;
  std::unordered_map<std::string, size_t> places_;    ///< by path, in parts
  std::vector<std::set<uint32_t>> tensors_;           ///< by part
  std::unordered_map<uint32_t, std::string> blocks_;  ///< by program, the path
};

}  // namespace

ModelFacts::ModelFacts(const Conversion& c, SymbolicSizes& sizes)
    : parameters(weights_of(c.module, fx::Role::kParameter)),
      buffers(weights_of(c.module, fx::Role::kBuffer)),
      constants(weights_of(c.module, fx::Role::kConstant)),
      trainable(trainable_elements(c.module)),
      costs(costs_of(c.module, sizes)) {
  Gathering(*this, c.module, sizes).gather();
}

}  // namespace onnx2fx::cli
