#include "core/fx/composites/program_terms.hpp"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "core/fx/schema.hpp"
#include "core/fx/users.hpp"

namespace onnx2fx::fx::composites {
namespace {

using Kind = Term::Kind;
constexpr size_t kMostParts = 16;

/// Calls that give the same wherever they stand, and that exporters write more than once.
bool may_be_the_same(const Node& n) {
  if (n.op == Op::kGetAttr) return n.tensor.has_value();
  if (n.op != Op::kCallFunction) return false;
  constexpr std::string_view kNames[] = {"add", "sub", "mul", "div", "pow", "neg", "mean", "sqrt"};
  return n.target.starts_with("operator::") || n.target == "torch.Tensor::size" ||
         n.target == "aten::sym_size.int" || std::ranges::count(kNames, call_name(n));
}

std::optional<double> number_of(const Argument& a) {
  if (const double* d = a.as<double>()) return *d;
  if (const int64_t* i = a.as<int64_t>()) return static_cast<double>(*i);
  return {};
}

}  // namespace

bool is_floating(std::string_view dtype) {
  return dtype == "float32" || dtype == "float64" || dtype == "float16" || dtype == "bfloat16";
}

std::string_view call_name(const Node& node) {
  constexpr std::string_view kAten = "aten::";
  std::string_view name = without_overload(node.target);
  if (node.op != Op::kCallFunction || !name.starts_with(kAten)) return {};
  name.remove_prefix(kAten.size());
  if (name == "bmm" || name == "mm") return "matmul";
  return name == "hardtanh" ? "clamp" : name;
}

ProgramTerms::ProgramTerms(const Program& program, const ConstantNumbers& numbers)
    : program_(program),
      numbers_(numbers),
      users_(users_of(program)),
      first_(program.nodes.size()) {
  find_same();
}

void ProgramTerms::find_same() {
  std::unordered_multimap<size_t, uint32_t> seen;
  const auto renamed = [&](Argument a) {
    for_each_ref(a, [&](NodeRef& r) { r.index = first_[r.index]; });
    return a;
  };
  const auto same = [&](const Node& a, const Node& b) {
    return a.op == b.op && a.target == b.target && a.tensor == b.tensor && a.kwargs == b.kwargs &&
           std::ranges::equal(a.args, b.args, {}, renamed, renamed);
  };
  for (uint32_t i = 0; i < program_.nodes.size(); i++) {
    first_[i] = i;
    const Node& n = node(i);
    if (!may_be_the_same(n)) continue;
    size_t hash = std::hash<std::string>()(n.target) + n.tensor.value_or(0);
    for (const Argument& a : n.args)
      for_each_ref(a, [&](NodeRef r) { hash = hash * 31 + first_[r.index]; });
    const auto [begin, end] = seen.equal_range(hash);
    const auto found =
        std::find_if(begin, end, [&](const auto& s) { return same(node(s.second), n); });
    if (found != end)
      first_[i] = found->second;
    else
      seen.emplace(hash, i);
  }
}

TermRef ProgramTerms::of(const Node& reader, const Argument& argument) {
  if (const auto number = number_of(argument)) return terms_.number(*number);
  const NodeRef* r = argument.as<NodeRef>();
  if (!r) return nullptr;
  const Node& n = node(r->index);
  const auto& shape = n.type.shape;
  const bool one = n.op == Op::kGetAttr && shape &&
                   std::ranges::all_of(*shape, [](const std::string& d) { return d == "1"; });
  if (one && !adds_axes(reader, n))
    if (const auto number = uniform(argument)) return terms_.number(*number);
  return terms_.node(first_[r->index]);
}

std::optional<double> ProgramTerms::uniform(const Argument& argument) const {
  const NodeRef* r = argument.as<NodeRef>();
  if (!r) return {};
  const Node& n = node(r->index);
  if (n.op == Op::kGetAttr && n.tensor) return numbers_(*n.tensor);
  const bool wider = n.target == "aten::expand" || n.target == "aten::repeat";
  if (wider && !n.args.empty()) return uniform(n.args[0]);
  return n.target == "aten::full" && n.args.size() == 2 ? number_of(n.args[1]) : std::nullopt;
}

/// Whether a constant has more axes than all else that its reader takes.
bool ProgramTerms::adds_axes(const Node& reader, const Node& constant) const {
  const size_t rank = constant.type.shape ? constant.type.shape->size() : 1;
  if (rank == 0) return false;
  size_t most = 0;
  for (const Argument& a : reader.args) {
    const NodeRef* r = a.as<NodeRef>();
    const auto* shape = r && &node(r->index) != &constant ? &node(r->index).type.shape : nullptr;
    if (shape && *shape) most = std::max(most, (*shape)->size());
  }
  return rank > most;
}

TermRef ProgramTerms::define(uint32_t index, int depth) {
  const Node& n = node(index);
  TermRef t = nullptr;
  if (n.op == Op::kCallFunction && is_floating(n.type.dtype))
    t = call_name(n) == "matmul" ? matmul(index, depth) : arithmetic(n, depth);
  if (!t || t->parts.size() > kMostParts) return terms_.node(first_[index]);
  if (t->kind != Kind::kProduct && t->kind != Kind::kSum) return t;
  Term whole = *t;
  whole.origin = first_[index];
  return terms_.make(std::move(whole));
}

/// Null where the number or the promotion of other dtypes decides.
TermRef ProgramTerms::operand(const Node& reader, const Argument& argument, int depth) {
  TermRef t = of(reader, argument);
  if (!t || t->kind == Kind::kNumber) return t;
  const uint32_t index = argument.as<NodeRef>()->index;
  if (node(index).type.dtype != reader.type.dtype) return nullptr;
  return depth > 0 && users_[index].size() == 1 ? define(index, depth - 1) : t;
}

TermRef ProgramTerms::arithmetic(const Node& n, int depth) {
  if (!n.kwargs.empty() || n.args.empty() || n.args.size() > 2) return nullptr;
  const std::string_view name = call_name(n);
  const auto at = [&](size_t i) { return operand(n, n.args[i], depth); };
  if (n.args.size() == 1) {
    const double e = name == "sqrt"         ? 0.5
                     : name == "rsqrt"      ? -0.5
                     : name == "reciprocal" ? -1
                     : name == "square"     ? 2
                                            : 0;
    if (e != 0) return terms_.product(1, {{at(0), e}});
    return name == "neg" ? terms_.product(-1, {{at(0), 1}}) : nullptr;
  }
  if (name == "mul") return terms_.product(1, {{at(0), 1}, {at(1), 1}});
  if (name == "div") return terms_.product(1, {{at(0), 1}, {at(1), -1}});
  if (name == "add") return terms_.sum(0, {{at(0), 1}, {at(1), 1}});
  if (name == "sub") return terms_.sum(0, {{at(0), 1}, {at(1), -1}});
  const auto exponent = number_of(n.args[1]);
  return name == "pow" && exponent ? terms_.product(1, {{at(0), *exponent}}) : nullptr;
}

/// Numbers in front of its operands stand in front of it.
TermRef ProgramTerms::matmul(uint32_t index, int depth) {
  const Node& n = node(index);
  if (n.args.size() != 2 || !n.kwargs.empty()) return nullptr;
  double front = 1;
  Term call{.kind = Kind::kCall, .name = "matmul", .index = index};
  for (const Argument& a : n.args) {
    TermRef t = operand(n, a, depth);
    if (!t) return nullptr;
    if (t->kind == Kind::kProduct && t->parts.size() == 1 && t->parts[0].number == 1) {
      TermRef inner = t->parts[0].term;
      if (inner->origin) inner = terms_.node(*inner->origin);
      if (inner->kind == Kind::kNode) {
        front *= t->number;
        t = inner;
      }
    }
    call.children.push_back(t->kind == Kind::kNode ? t : of(n, a));
  }
  return front == 1 ? nullptr : terms_.product(front, {{terms_.make(std::move(call)), 1}});
}

}  // namespace onnx2fx::fx::composites
