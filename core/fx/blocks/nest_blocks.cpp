// The author's modules: calls of programs of their own.
#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/fx/blocks/agreement.hpp"
#include "core/fx/blocks/border.hpp"
#include "core/fx/blocks/cut.hpp"
#include "core/fx/blocks/flat.hpp"
#include "core/fx/blocks/readers.hpp"
#include "core/fx/identifier.hpp"
#include "core/fx/name_set.hpp"
#include "core/fx/passes.hpp"
#include "core/fx/paths.hpp"

namespace onnx2fx::fx {
namespace {

using blocks::Cut;
using blocks::Flat;
using blocks::Open;

/// Writes what was cut as programs of the module.
class Writer {
 public:
  Writer(Module& module, const Flat& flat, const Cut& root, const blocks::Readers& readers)
      : module_(module), flat_(flat), readers_(readers) {
    for (const Program& p : module.programs) program_names_.claim(p.name);
    for (const Submodule& m : module.modules) paths_.claim(m.path);
    for (const Tensor& t : module.tensors) paths_.claim(t.path);
    for (const Frame& f : flat.frames) paths_.claim(f.path + ".block");  // they hold others
    for (const Cut::Part& part : root.parts)
      if (!part.block && flat.nodes[part.node].tensor)
        placed_.insert(*flat.nodes[part.node].tensor);
    for (size_t i = 1; i < module.programs.size(); i++)
      for (const Node& n : module.programs[i].nodes)
        if (n.tensor) placed_.insert(*n.tensor);
  }

  void write(const Cut& root) { module_.programs[0].nodes = nodes_of(root, {}, {}); }

 private:
  struct Border {
    std::vector<uint32_t> inputs, outputs;
  };

  /// Inputs in the order in which something is computed with them; what only sizes are read of
  /// comes last.
  Border border_of(const Cut& cut) const {
    Border border;
    std::vector<uint32_t> measured;
    std::unordered_set<uint32_t> seen;
    blocks::for_each_node(cut, [&](uint32_t n) {
      for_each_ref(flat_.nodes[n], [&](NodeRef r) {
        if (readers_.inside(cut, r.index)) return;
        if (blocks::is_size_of_tensor(flat_.nodes[n]))
          measured.push_back(r.index);
        else if (seen.insert(r.index).second)
          border.inputs.push_back(r.index);
      });
      if (readers_.outside(cut, n)) border.outputs.push_back(n);
    });
    std::ranges::copy_if(measured, std::back_inserter(border.inputs),
                         [&](uint32_t v) { return seen.insert(v).second; });
    return border;
  }

  /// Index of the module; written with its first call.
  uint32_t block(const Cut& cut, const Border& border) {
    const auto known = modules_.find(cut.frame);
    if (known != modules_.end()) return known->second;
    const Frame& frame = flat_.frames[cut.frame];
    Program program{program_names_.claim(identifier(frame.path)), {}};
    program.nodes = nodes_of(cut, border.inputs, border.outputs);
    const auto index = static_cast<uint32_t>(module_.modules.size());
    Submodule m{frame.path, frame.type, {}, {}};
    m.program = ProgramRef{static_cast<uint32_t>(module_.programs.size())};
    module_.programs.push_back(std::move(program));
    module_.modules.push_back(std::move(m));
    return modules_[cut.frame] = index;
  }

  std::vector<Node> nodes_of(const Cut& cut, const std::vector<uint32_t>& inputs,
                             const std::vector<uint32_t>& outputs) {
    std::vector<Node> nodes;
    std::unordered_map<uint32_t, NodeRef> places;
    NameSet names;
    for (const uint32_t v : inputs) {
      const Node& source = flat_.nodes[v];
      places[v] = {static_cast<uint32_t>(nodes.size())};
      nodes.push_back({Op::kPlaceholder, names.claim(source.name)});
      nodes.back().type = source.type;
    }
    for (const Cut::Part& part : cut.parts)
      if (!part.block) names.claim(flat_.nodes[part.node].name);
    for (const Cut::Part& part : cut.parts) {
      if (part.block)
        call(*part.block, cut, nodes, places, names);
      else
        move(part.node, cut, nodes, places);
    }
    if (cut.frame != Cut::kRoot) {
      nodes.push_back(output(outputs, places));
      nodes.back().name = names.claim("output");  // of a module of the author's, too
    }
    return nodes;
  }

  void move(uint32_t v, const Cut& cut, std::vector<Node>& nodes,
            std::unordered_map<uint32_t, NodeRef>& places) {
    Node n = flat_.nodes[v];
    for_each_ref(n, [&](NodeRef& r) { r = places.at(r.index); });
    if (n.op == Op::kGetAttr && n.tensor) n.tensor = held(*n.tensor, cut);
    places[v] = {static_cast<uint32_t>(nodes.size())};
    nodes.push_back(std::move(n));
  }

  uint32_t held(uint32_t tensor, const Cut& cut) {
    if (cut.frame == Cut::kRoot || !blocks::can_be_moved(module_.tensors[tensor])) return tensor;
    const std::string& path = flat_.frames[cut.frame].path;
    if (module_.tensors[tensor].role == Role::kConstant) return constant(tensor, path, cut.frame);
    Tensor& t = module_.tensors[tensor];
    if (!is_below(t.path, path)) t.path = paths_.claim(path + "." + t.path);
    return tensor;
  }

  /// Each block holds its own.
  uint32_t constant(uint32_t tensor, const std::string& path, uint32_t frame) {
    const auto [at, is_new] = constants_.try_emplace(std::pair(frame, tensor), tensor);
    if (!is_new) return at->second;
    if (!placed_.insert(tensor).second) {  // somebody else's
      at->second = static_cast<uint32_t>(module_.tensors.size());
      module_.tensors.push_back(module_.tensors[tensor]);
    }
    Tensor& t = module_.tensors[at->second];
    if (at->second != tensor || !is_below(t.path, path))
      t.path = paths_.claim(path + ".constants." + last_part(t.path));
    return at->second;
  }

  void call(const Cut& cut, const Cut& caller, std::vector<Node>& nodes,
            std::unordered_map<uint32_t, NodeRef>& places, NameSet& names) {
    const Border border = border_of(cut);
    Node n;
    n.op = Op::kCallModule;
    n.module = block(cut, border);
    const size_t above =
        caller.frame == Cut::kRoot ? 0 : flat_.frames[caller.frame].path.size() + 1;
    n.name = names.claim(identifier(flat_.frames[cut.frame].path.substr(above)));
    for (const uint32_t v : border.inputs) n.args.emplace_back(places.at(v));
    const NodeRef called{static_cast<uint32_t>(nodes.size())};
    const bool single = border.outputs.size() == 1;
    if (single) n.type = flat_.nodes[border.outputs[0]].type;
    nodes.push_back(std::move(n));
    for (size_t k = 0; k < border.outputs.size(); k++) {
      const Node& result = flat_.nodes[border.outputs[k]];
      places[border.outputs[k]] = single ? called : NodeRef{static_cast<uint32_t>(nodes.size())};
      if (single) continue;
      Node item{Op::kCallFunction, names.claim(result.name), "operator::getitem"};
      item.args = {called, static_cast<int64_t>(k)};
      item.type = result.type;
      nodes.push_back(std::move(item));
    }
  }

  static Node output(const std::vector<uint32_t>& results,
                     const std::unordered_map<uint32_t, NodeRef>& places) {
    Node n{Op::kOutput, ""};
    if (results.size() == 1) {
      n.args = {places.at(results[0])};
      return n;
    }
    List all;
    for (const uint32_t v : results) all.emplace_back(places.at(v));
    n.args = {std::move(all)};
    return n;
  }

  Module& module_;
  const Flat& flat_;
  const blocks::Readers& readers_;
  NameSet program_names_;
  PathTree paths_;
  std::unordered_map<uint32_t, uint32_t> modules_;               ///< of each frame
  std::set<uint32_t> placed_;                                    ///< constants that somebody holds
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> constants_;  ///< of frame and tensor
};

/// Those that show only when others are left open are found round by round.
constexpr int kMostRounds = 64;

/// Whether all that is not in `open` is a block now; else there is more in it.
bool nest(Module& module, Open& open) {
  const size_t known = open.size();
  Flat flat = blocks::flat_program(module, open);
  if (flat.frames.empty()) return true;
  std::optional<Cut> root = blocks::cut_into_blocks(flat);
  if (!root) {
    for (const Frame& f : flat.frames) open[f.path] = "its nodes lie too far apart";
    return false;
  }
  blocks::draw_borders(flat, module, *root);
  const blocks::Readers readers(flat, *root);
  blocks::find_disagreements(flat, *root, readers, open);
  if (open.size() != known) return false;
  Writer(module, flat, *root, readers).write(*root);
  return true;
}

bool tells_scopes(const Module& module) {
  const Provenance* last = nullptr;
  return std::ranges::any_of(module.programs[0].nodes, [&](const Node& n) {
    const bool is_other = n.onnx && n.onnx.get() != last;
    last = n.onnx.get();
    return is_other && frames(*n.onnx);
  });
}

}  // namespace

void nest_blocks(Module& module) {
  if (!tells_scopes(module)) return;
  Open open;
  for (int round = 0; round < kMostRounds && !nest(module, open); round++) {
  }
  module.open_blocks.assign(open.begin(), open.end());
}

}  // namespace onnx2fx::fx
