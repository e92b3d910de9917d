#include "core/convert/folded_views.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "core/fx/identifier.hpp"
#include "core/fx/name_set.hpp"
#include "core/fx/provenance.hpp"

namespace onnx2fx::conversion {
namespace {

using fx::Node;
using fx::NodeRef;
using Extents = std::vector<int64_t>;

/// The dims of what `call` made these of. nullopt: they might have been others.
std::optional<Extents> dims_before(const std::string& call, Extents dims) {
  const auto ones = std::ranges::count(dims, 1);
  const auto rank = static_cast<ptrdiff_t>(dims.size());
  if (call == "unsqueeze" && ones == 1) {
    dims.erase(std::ranges::find(dims, 1));
    return dims;
  }
  const bool adds_axes = call == "view" || call == "reshape" || call == "unsqueeze";
  if (!adds_axes || rank < 2 || ones + 1 != rank) return {};
  return Extents{*std::ranges::find_if(dims, [](int64_t d) { return d != 1; })};
}

std::vector<std::string> as_text(const Extents& dims) {
  std::vector<std::string> text;
  for (const int64_t d : dims) text.push_back(std::to_string(d));
  return text;
}

/// Each get_attr of these tensors is the parameter, and followed by its view.
void write_views(const fx::Module& module, fx::Program& program,
                 const std::map<uint32_t, std::pair<Extents, Extents>>& dims) {
  fx::NameSet names;
  for (const Node& n : program.nodes) names.claim(n.name);
  std::vector<uint32_t> places;
  std::vector<Node> nodes;
  for (Node& n : program.nodes) {
    fx::for_each_ref(n, [&](NodeRef& r) { r.index = places[r.index]; });
    const auto at = n.op == fx::Op::kGetAttr && n.tensor ? dims.find(*n.tensor) : dims.end();
    if (at != dims.end()) {
      const auto& [before, after] = at->second;
      Node parameter = n;
      parameter.name = names.claim(fx::identifier(module.tensors[*n.tensor].path));
      parameter.type.shape = as_text(before);
      const NodeRef ref{static_cast<uint32_t>(nodes.size())};
      nodes.push_back(std::move(parameter));
      n.op = fx::Op::kCallFunction;
      n.target = "aten::reshape";
      n.tensor.reset();
      n.args = {ref, fx::List(after.begin(), after.end())};
    }
    places.push_back(static_cast<uint32_t>(nodes.size()));
    nodes.push_back(std::move(n));
  }
  program.nodes = std::move(nodes);
}

/// What an FX node's text gives `call` after "args = (%"; empty: it is another call.
std::string_view operands_of(std::string_view text, std::string_view call) {
  const std::string head = "target=torch.ops.aten." + std::string(call) + "](args = (%";
  const size_t at = text.find(head);
  return at == std::string_view::npos ? "" : text.substr(at + head.size());
}

/// "p_table" of "... target=torch.ops.aten.index.Tensor](args = (%p_table, [%i, %j]), ...": the
/// exporter moves the axes that are indexed to the front, where these are.
std::string_view indexed_in_front(std::string_view text) {
  const std::string_view operands = operands_of(text, "index.Tensor");
  const size_t at = operands.find_first_of(",()");
  if (at == std::string_view::npos || !operands.substr(at).starts_with(", [%")) return {};
  const std::string_view indices = operands.substr(at, operands.find(']') - at);
  return indices.find("None") == std::string_view::npos ? operands.substr(0, at)
                                                        : std::string_view();
}

/// "p_fc_weight" of "... target=torch.ops.aten.linear.default](args = (%x, %p_fc_weight, ...".
std::string_view weight_of_linear(std::string_view text) {
  std::string_view operands = operands_of(text, "linear.default");
  const size_t at = operands.find_first_of(",()");
  if (at == std::string_view::npos || !operands.substr(at).starts_with(", %")) return {};
  operands.remove_prefix(at + 3);
  return operands.substr(0, operands.find_first_of(",)"));
}

/// The parameter that is no more, whose placeholder this is; null: none.
const Signature::Entry* gone(std::string_view placeholder, const Signature& signature) {
  const auto found = signature.computed("%" + std::string(placeholder));
  return found.size() == 1 ? found[0] : nullptr;
}

/// The parameter whose .t() `call` multiplies with; null: it is not known.
const Signature::Entry* multiplied(const Node& call, const Signature& signature) {
  static constexpr std::string_view kProducts[] = {"aten::matmul", "aten::mm", "aten::addmm"};
  const std::string* text = fx::exported_from(call);
  if (!text || !std::ranges::count(kProducts, call.target)) return nullptr;
  return gone(weight_of_linear(*text), signature);
}

/// The parameter that `call` indexes; null: it is not known.
const Signature::Entry* indexed(const Node& call, const Signature& signature) {
  const std::string* text = fx::exported_from(call);
  if (!text || call.target != "aten::index.Tensor") return nullptr;
  return gone(indexed_in_front(*text), signature);
}

/// What `says` answers for all of them; null: they do not agree.
template <class Says>
const Signature::Entry* agreed(std::span<const Node* const> readers, Says says,
                               const Signature& signature) {
  const Signature::Entry* first = readers.empty() ? nullptr : says(*readers[0], signature);
  const bool all =
      std::ranges::all_of(readers, [&](const Node* n) { return says(*n, signature) == first; });
  return all ? first : nullptr;
}

}  // namespace

void name_folded_weights(fx::Module& module, const std::vector<TensorEntry*>& entries,
                         const Signature& signature, const Evidence& evidence) {
  if (!signature.known()) return;
  for (uint32_t i = 0; i < module.tensors.size(); i++) {
    fx::Tensor& t = module.tensors[i];
    if (t.role != fx::Role::kParameter || t.named_by_author || !entries[i]->proto) continue;
    const auto readers = evidence.readers(i);
    if (const Signature::Entry* same = agreed(readers, indexed, signature)) {
      t.path = same->target;
      t.named_by_author = true;
    } else if (const Signature::Entry* of = agreed(readers, multiplied, signature);
               of && t.dims.size() == 2) {
      t.transposed_of = of->target;
    }
  }
}

void restore_shapes(fx::Module& module, const std::vector<TensorEntry*>& entries,
                    const Signature& signature) {
  std::map<uint32_t, std::pair<Extents, Extents>> dims;
  for (uint32_t i = 0; i < module.tensors.size(); i++) {
    fx::Tensor& t = module.tensors[i];
    const auto folded = t.role == fx::Role::kParameter && entries[i]->proto && !entries[i]->in_node
                            ? signature.folded(t.name)
                            : std::nullopt;
    auto before = folded && folded->at_once ? dims_before(folded->call, t.dims) : std::nullopt;
    if (!before) continue;
    t.path = folded->parameters[0]->target;
    t.named_by_author = true;
    dims[i] = {*before, std::exchange(t.dims, *before)};
    entries[i]->dims = *before;
  }
  if (dims.empty()) return;
  for (fx::Program& program : module.programs) write_views(module, program, dims);
}

std::vector<Diagnostic> untrained_parameters(const fx::Module& module,
                                             const std::vector<TensorEntry*>& entries,
                                             const Signature& signature) {
  std::string text;
  for (uint32_t i = 0; i < module.tensors.size(); i++) {
    const fx::Tensor& t = module.tensors[i];
    if (t.role != fx::Role::kConstant || !entries[i]->proto || entries[i]->in_node) continue;
    const auto folded = signature.folded(t.name);
    if (folded) text += (text.empty() ? "'" : "; '") + t.name + "' of " + folded->names();
  }
  if (text.empty()) return {};
  return {
      {Severity::kWarning,
       "weights",
       "constants that the exporter computed of parameters do not train: " + text,
       {"torch.onnx.export(optimize=False) leaves the parameters in the file; --trainable makes "
        "one of what was computed"}}};
}

}  // namespace onnx2fx::conversion
