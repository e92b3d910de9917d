#include "core/fx/open_calls.hpp"

#include <algorithm>
#include <map>

#include "core/fx/identifier.hpp"
#include "core/fx/paths.hpp"

namespace onnx2fx::fx {

OpenCalls::OpenCalls(Module& module, const ModuleRaiser& calls)
    : module_(module), root_(module.programs[0]), calls_(calls) {}

bool OpenCalls::take(const Raised& raised) {
  if (!is_turned(raised) && !renames(raised) && !is_part(raised)) return false;
  taken_.push_back(raised);
  return true;
}

/// Of the weight in the author's model; empty: it is not known. Where the exporter lost it, the
/// classes of torch that do not call their bias "bias" tell it by that.
std::string OpenCalls::own_name(const Raised& raised) const {
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
bool OpenCalls::renames(const Raised& raised) const {
  const std::string name = own_name(raised);
  if (name.empty()) return false;
  if (last_part(name) != raised.tensors[0].attribute) return true;
  return std::ranges::any_of(raised.tensors, [&](const Submodule::TensorUse& u) {
    const Tensor& t = module_.tensors[u.tensor];
    return t.named_by_author && last_part(t.name) != u.attribute;
  });
}

/// Whether the module would hold the .t() of what the author holds: x @ self.weight.
bool OpenCalls::is_turned(const Raised& raised) const {
  return !raised.tensors.empty() && raised.tensors[0].transposed &&
         module_.tensors[raised.tensors[0].tensor].named_by_author;
}

/// The module of the author's that was running when the node was computed.
const std::optional<Frame>& OpenCalls::innermost(uint32_t index) {
  const auto [at, is_new] = innermost_.try_emplace(index);
  if (!is_new) return at->second;
  const Node& n = root_.nodes[index];
  const auto running = n.onnx ? frames(*n.onnx) : std::nullopt;
  if (running && !running->empty()) at->second = running->back();
  return at->second;
}

/// Whether the author's module of these weights is a class of one's own that does more with them: a
/// router that scores and picks, a norm that moves the channels to the end and back. It holds them
/// itself, and this is one of its calls. Not so of statistics, which a class of torch moves.
bool OpenCalls::is_part(const Raised& raised) {
  if (raised.type != NnClass::kLinear && raised.type != NnClass::kLayerNorm &&
      raised.type != NnClass::kGroupNorm && raised.type != NnClass::kEmbedding)
    return false;
  const std::string weight = own_name(raised);
  const std::optional<Frame>& own = innermost(raised.result);
  if (!own || own->of_torch || own->type == name_of(raised.type) ||
      weight != own->path + "." + raised.tensors[0].attribute)
    return false;
  const Submodule::TensorUse& use = raised.tensors[0];
  if (use.transposed && calls_.readers_of(use.tensor) != 1) return false;
  const auto is_inside = [&](uint32_t i) {
    const std::optional<Frame>& at = innermost(i);
    return at && (at->path == own->path || is_below(at->path, own->path));
  };
  const NodeRef* input = raised.inputs[0].as<NodeRef>();
  return (input && is_inside(input->index)) ||
         std::ranges::any_of(calls_.users(raised.result), is_inside);
}

void OpenCalls::write() {
  std::map<uint32_t, size_t> transposed = transposed_reads(taken_);
  NameSet names;
  if (!taken_.empty())
    for (const Node& n : root_.nodes) names.claim(n.name);
  for (const Raised& r : taken_) {
    if (r.type != NnClass::kLinear || r.promoted) continue;
    const uint32_t weight = r.tensors[0].tensor;
    if (!r.tensors[0].transposed || (!module_.tensors[weight].named_by_author &&
                                     transposed[weight] == calls_.readers_of(weight)))
      write_linear(r, names);
  }
}

/// The get_attr of a tensor that the root reads.
NodeRef OpenCalls::reader_of(uint32_t tensor) const {
  const auto at =
      std::ranges::find_if(root_.nodes, [&](const Node& n) { return n.tensor == tensor; });
  return {static_cast<uint32_t>(at - root_.nodes.begin())};
}

void OpenCalls::write_linear(const Raised& raised, NameSet& names) {
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

}  // namespace onnx2fx::fx
