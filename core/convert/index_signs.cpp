#include "core/convert/index_signs.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/fx/provenance.hpp"
#include "core/fx/schema.hpp"

namespace onnx2fx::conversion {
namespace {

using fx::Argument;
using fx::Node;
using fx::NodeRef;

/// By name, without overload: results that are counts or positions, whatever is given.
constexpr auto kCounting = std::to_array<std::string_view>(
    {"aten::argmax", "aten::argmin", "aten::argsort", "aten::nonzero", "aten::one_hot",
     "aten::ones", "aten::ones_like", "aten::sym_numel", "aten::sym_size", "aten::zeros",
     "aten::zeros_like"});
/// Elements of the first operand, moved or picked, or the least or greatest of them.
constexpr auto kMoving = std::to_array<std::string_view>(
    {"aten::amax",         "aten::amin",    "aten::broadcast_to",
     "aten::cat",          "aten::chunk",   "aten::clone",
     "aten::contiguous",   "aten::expand",  "aten::flatten",
     "aten::flip",         "aten::gather",  "aten::index",
     "aten::index_select", "aten::movedim", "aten::permute",
     "aten::repeat",       "aten::reshape", "aten::select",
     "aten::slice",        "aten::split",   "aten::split_with_sizes",
     "aten::squeeze",      "aten::stack",   "aten::tile",
     "aten::transpose",    "aten::unbind",  "aten::unsqueeze",
     "aten::view"});
/// Of two that are not negative.
constexpr auto kOfBoth = std::to_array<std::string_view>(
    {"aten::maximum", "aten::minimum", "aten::remainder", "operator::add", "operator::floordiv",
     "operator::mod", "operator::mul", "torch::sym_max", "torch::sym_min"});
/// Calls whose second result is of positions.
constexpr auto kWithPositions =
    std::to_array<std::string_view>({"aten::max", "aten::min", "aten::sort", "aten::topk"});

/// Constants above do not count: a sum of some still fits.
constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
constexpr int64_t kMostElements = 1 << 20;

template <size_t N>
bool among(const std::array<std::string_view, N>& all, std::string_view name) {
  return std::find(all.begin(), all.end(), name) != all.end();
}

bool is_call(const Node* n, std::string_view target) {
  return n && n->op == fx::Op::kCallFunction && n->target == target && n->args.size() >= 2;
}

template <class T>
bool all_within(std::span<const uint8_t> bytes) {
  for (size_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
    T x;
    std::memcpy(&x, bytes.data() + i, sizeof x);
    if (x < 0 || x > kMost) return false;
  }
  return true;
}

class Signs {
 public:
  Signs(const fx::Module& module, const fx::Program& program,
        const std::vector<TensorEntry*>& entries, Tensors& tensors)
      : module_(module), nodes_(program.nodes), entries_(entries), tensors_(tensors) {
    for (const Node& n : nodes_) never_negative_.push_back(tell(n));
  }

  /// A number, a tensor of integers, or a list of such.
  bool never_negative(const Argument& a) const {
    if (const int64_t* i = a.as<int64_t>()) return *i >= 0 && *i <= kMost;
    if (const fx::List* list = a.as<fx::List>())
      return std::all_of(list->begin(), list->end(),
                         [&](const Argument& x) { return never_negative(x); });
    const NodeRef* r = a.as<NodeRef>();
    return r && never_negative_[r->index];
  }

 private:
  bool tell(const Node& n) const {
    // Other bits of the same elements may have a sign.
    if (n.target == "aten::view.dtype") return n.type.dtype.starts_with("uint");
    if (n.type.dtype == "bool" || n.type.dtype.starts_with("uint")) return true;
    if (n.op == fx::Op::kGetAttr) return n.tensor && is_constant(*n.tensor);
    if (n.op != fx::Op::kCallFunction) return false;
    const std::string_view name = fx::without_overload(n.target);
    if (among(kCounting, name)) return true;
    if (n.args.empty()) return false;
    if (name == "operator::getitem") return item(n);
    if (name == "aten::arange") return range(n);
    if (name == "aten::to") return n.type.dtype == "int64" && of_integers(n.args[0]);
    if (name == "aten::full") return n.args.size() > 1 && never_negative(n.args[1]);
    if (name == "aten::where")
      return n.args.size() == 3 && never_negative(n.args[1]) && never_negative(n.args[2]);
    if (name == "aten::add") return n.type.dtype == "int64" && n.kwargs.empty() && both(n);
    if (among(kOfBoth, name)) return both(n);
    return among(kMoving, name) && never_negative(n.args[0]);
  }

  bool both(const Node& n) const {
    return n.args.size() == 2 && never_negative(n.args[0]) && never_negative(n.args[1]);
  }

  // From a start upwards: no element is below it.
  bool range(const Node& n) const {
    if (n.target == "aten::arange") return true;
    const int64_t* step = n.args.size() > 2 ? n.args[2].as<int64_t>() : nullptr;
    return never_negative(n.args[0]) && (n.target == "aten::arange.start" || (step && *step > 0));
  }

  bool of_integers(const Argument& a) const {
    const NodeRef* r = a.as<NodeRef>();
    const std::string_view dtype = r ? std::string_view(nodes_[r->index].type.dtype) : "";
    return never_negative(a) && (dtype == "bool" || dtype.starts_with("int") ||
                                 (dtype.starts_with("uint") && dtype != "uint64"));
  }

  bool item(const Node& n) const {
    const NodeRef* whole = n.args[0].as<NodeRef>();
    const int64_t* i = n.args.size() == 2 ? n.args[1].as<int64_t>() : nullptr;
    if (!whole || !i) return false;
    const bool positions =
        *i == 1 && among(kWithPositions, fx::without_overload(nodes_[whole->index].target));
    return positions || never_negative_[whole->index];
  }

  bool is_constant(uint32_t tensor) const {
    TensorEntry& e = *entries_[tensor];
    const std::string& dtype = module_.tensors[tensor].dtype;
    if ((dtype != "int64" && dtype != "int32") || e.count() > kMostElements || tensors_.absent(e))
      return false;
    return dtype == "int64" ? all_within<int64_t>(tensors_.bytes(e))
                            : all_within<int32_t>(tensors_.bytes(e));
  }

  const fx::Module& module_;
  const std::vector<Node>& nodes_;
  const std::vector<TensorEntry*>& entries_;
  Tensors& tensors_;
  std::vector<bool> never_negative_;
};

/// The x of x + extent * (x < 0); none: the argument is something else.
const NodeRef* counted_from_front(const std::vector<Node>& nodes, const Argument& a) {
  const auto call = [&](const Argument& x) {
    const NodeRef* r = x.as<NodeRef>();
    return r ? &nodes[r->index] : nullptr;
  };
  const Node* sum = call(a);
  if (!is_call(sum, "aten::add.Tensor")) return nullptr;
  const Node* negative = call(sum->args[1]);
  const bool is = is_call(negative, "aten::lt.Scalar") && negative->args[0] == sum->args[0] &&
                  negative->args[1] == Argument(int64_t{0});
  return is ? sum->args[0].as<NodeRef>() : nullptr;
}

/// The author's own call, which has no negative ids.
bool is_authors_embedding(const Node& n) {
  const std::string* text = fx::exported_from(n);
  return text && text->find("target=torch.ops.aten.embedding.") != std::string::npos;
}

bool is_input(const std::vector<Node>& nodes, const NodeRef& index) {
  const Node* n = &nodes[index.index];
  if (is_call(n, "aten::to.dtype"))
    if (const NodeRef* r = n->args[0].as<NodeRef>()) n = &nodes[r->index];
  return n->op == fx::Op::kPlaceholder;
}

}  // namespace

void read_indices_as_they_are(fx::Module& module, const std::vector<TensorEntry*>& entries,
                              Tensors& tensors) {
  for (fx::Program& program : module.programs) {
    std::vector<Node>& nodes = program.nodes;
    std::optional<Signs> signs;  // few programs have such indices
    for (Node& n : nodes) {
      const bool looks_up = is_call(&n, "aten::embedding") && &program == &module.programs[0];
      for (Argument& a : n.args) {
        const NodeRef* index = counted_from_front(nodes, a);
        if (!index) continue;
        if (!signs) signs.emplace(module, program, entries, tensors);
        if ((looks_up && (is_authors_embedding(n) || is_input(nodes, *index))) ||
            signs->never_negative(Argument(*index)))
          a = Argument(*index);
      }
    }
  }
}

}  // namespace onnx2fx::conversion
