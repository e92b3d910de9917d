// Values of a fixed dtype that meet those of the model: x * cos, where cos was computed in float32
// of positions. The author wrote cos.to(x.dtype), which an exporter in float32 leaves out, and
// without which a model in bfloat16 becomes one of float32 half-way, or fails.
#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "core/fx/name_set.hpp"
#include "core/fx/passes.hpp"
#include "core/fx/schema.hpp"

namespace onnx2fx::fx {
namespace {

constexpr auto kPromoting = std::to_array<std::string_view>(
    {"aten::add", "aten::cat", "aten::div", "aten::matmul", "aten::maximum", "aten::minimum",
     "aten::mul", "aten::scaled_dot_product_attention", "aten::stack", "aten::sub", "aten::where"});
constexpr auto kMoving = std::to_array<std::string_view>(
    {"aten::expand", "aten::permute", "aten::repeat", "aten::reshape", "aten::select",
     "aten::slice", "aten::squeeze", "aten::transpose", "aten::unsqueeze", "aten::view"});
constexpr auto kWriting =
    std::to_array<std::string_view>({"aten::index_add", "aten::index_put", "aten::scatter",
                                     "aten::scatter_add", "aten::scatter_reduce"});
constexpr uint32_t kNone = UINT32_MAX;

bool among(std::span<const std::string_view> all, const Node& n) {
  return std::ranges::count(all, without_overload(n.target)) > 0;
}

bool is_floating(const Node& n) { return n.type.dtype.find("float") != std::string::npos; }

/// Of what is moved or cast; null: it is no node.
const NodeRef* first(const Node& n) { return n.args.empty() ? nullptr : n.args[0].as<NodeRef>(); }

/// A number, or several results, of which getitem takes one.
bool is_untyped(const Node& n) { return n.type.dtype.empty(); }

class Dtypes {
 public:
  Dtypes(const Module& module, const Program& program)
      : module_(module),
        nodes_(program.nodes),
        kinds_(nodes_.size()),
        constants_(nodes_.size(), kNone) {
    for (uint32_t i = 0; i < nodes_.size(); i++) classify(i);
  }

  /// The values that are to follow a dtype, each with the constant that has it.
  const std::map<uint32_t, uint32_t>& casts() const { return casts_; }
  /// Calls that write values of the model's into others, each with those values.
  const std::map<uint32_t, uint32_t>& written() const { return written_; }

 private:
  enum class Kind : uint8_t { kOther, kConstant, kFixed, kModel };

  void classify(uint32_t i) {
    const Node& n = nodes_[i];
    Kind& kind = kinds_[i];
    if (is_untyped(n) && n.op == Op::kCallFunction) return computed(i);
    if (n.type.dtype != "float32") return;
    if (n.op == Op::kPlaceholder || n.op == Op::kCallModule) {
      kind = Kind::kModel;
    } else if (n.op == Op::kGetAttr && n.tensor) {
      const bool is_constant = module_.tensors[*n.tensor].role == Role::kConstant;
      kind = is_constant ? Kind::kConstant : Kind::kModel;
      if (is_constant && !n.type.shape.value_or(std::vector<std::string>()).empty())
        constants_[i] = i;
    } else if (n.target == "aten::to.dtype") {
      // Of positions; of floats the author says what he wants.
      const NodeRef* x = first(n);
      if (x && !is_floating(nodes_[x->index])) kind = Kind::kFixed;
    } else if (n.op == Op::kCallFunction) {
      computed(i);
    }
  }

  void computed(uint32_t i) {
    const Node& n = nodes_[i];
    Kind& kind = kinds_[i];
    for_each_ref(n, [&](NodeRef r) {
      if (is_untyped(nodes_[r.index]) && n.target != "operator::getitem") return;
      kind = std::max(kind, kinds_[r.index]);
      if (constants_[i] == kNone) constants_[i] = constants_[r.index];
    });
    if (kind == Kind::kModel && among(kWriting, n)) write_into(i);
    if (kind == Kind::kModel && among(kPromoting, n))
      for_each_ref(n, [&](NodeRef r) {
        if (kinds_[r.index] == Kind::kFixed) follow(r.index);
      });
  }

  /// The author's torch.zeros_like(x), of which an export has a constant.
  void write_into(uint32_t i) {
    const NodeRef* self = first(nodes_[i]);
    if (!self || kinds_[self->index] == Kind::kModel || nodes_[self->index].type.dtype != "float32")
      return;
    for_each_ref(nodes_[i], [&](NodeRef r) {
      if (kinds_[r.index] == Kind::kModel && !is_untyped(nodes_[r.index])) written_[i] = r.index;
    });
  }

  void follow(uint32_t i) {
    for (const NodeRef* x = first(nodes_[i]);
         x && among(kMoving, nodes_[i]) && kinds_[x->index] == Kind::kFixed; x = first(nodes_[i]))
      i = x->index;
    if (constants_[i] != kNone) casts_[i] = constants_[i];
  }

  const Module& module_;
  const std::vector<Node>& nodes_;
  std::vector<Kind> kinds_;
  std::vector<uint32_t> constants_;  ///< that a value is computed of
  std::map<uint32_t, uint32_t> casts_, written_;
};

class Writer {
 public:
  explicit Writer(Program& program) : program_(program) {
    for (const Node& n : program.nodes) names_.claim(n.name);
  }

  void write(const Dtypes& dtypes) {
    for (uint32_t i = 0; i < program_.nodes.size(); i++) {
      Node& n = program_.nodes[i];
      for_each_ref(n, [&](NodeRef& r) { r = values_[r.index]; });
      const auto written = dtypes.written().find(i);
      if (written != dtypes.written().end()) {
        const NodeRef self = *n.args[0].as<NodeRef>();
        const Node& of = nodes_[self.index];
        n.args[0] = put(cast(of, self, values_[written->second], names_.claim(of.name)));
      }
      const NodeRef place = put(std::move(n));
      places_.push_back(place);
      values_.push_back(place);
      const auto followed = dtypes.casts().find(i);
      if (followed == dtypes.casts().end()) continue;
      Node to = cast(nodes_.back(), place, places_[followed->second], nodes_.back().name);
      nodes_.back().name = names_.claim(to.name);
      values_.back() = put(std::move(to));
    }
    program_.nodes = std::move(nodes_);
  }

 private:
  NodeRef put(Node n) {
    nodes_.push_back(std::move(n));
    return {static_cast<uint32_t>(nodes_.size() - 1)};
  }
  static Node cast(const Node& of, NodeRef value, NodeRef like, std::string name) {
    Node to{.name = std::move(name), .target = "aten::to.other", .args = {value, like}};
    to.onnx = of.onnx;
    to.type = of.type;
    return to;
  }

  Program& program_;
  NameSet names_;
  std::vector<Node> nodes_;
  std::vector<NodeRef> places_, values_;  ///< of each node; what its readers read
};

}  // namespace

void follow_dtypes(Module& module) {
  for (Program& program : module.programs)
    if (const Dtypes dtypes(module, program); !dtypes.casts().empty() || !dtypes.written().empty())
      Writer(program).write(dtypes);
}

}  // namespace onnx2fx::fx
