#include "core/fx/nn_dialect.hpp"

#include <algorithm>
#include <array>

#include "core/fx/passes.hpp"
#include "core/fx/schema.hpp"

namespace onnx2fx::fx {
namespace {

constexpr auto kNames = std::to_array<NnName>({
#define NN_NAME(aten, name, max_args) {aten, name, max_args},
#include "core/fx/nn_names.def"
});
static_assert(std::is_sorted(kNames.begin(), kNames.end(),
                             [](const NnName& a, const NnName& b) { return a.aten < b.aten; }));

using Kind = SchemaType::Kind;

bool may_be_a_tensor(const Schema& schema, const std::string& argument) {
  const std::string_view base = without_overload(schema.name);
  return std::ranges::any_of(find_overloads(base), [&](const Schema* s) {
    const auto i = s->find(argument);
    return i && s->arguments[*i].type.kind == Kind::kTensor;
  });
}

// torch's own functions choose the overload by the values: a tensor must be one, a number a
// literal where another overload takes a tensor.
bool chooses_same(const Schema& schema, const SchemaArgument& argument, const Argument& value) {
  if (argument.type.list) return true;
  if (argument.type.kind == Kind::kTensor) return value.is_none() || value.as<NodeRef>();
  if (argument.type.kind == Kind::kNumber)
    return !value.as<NodeRef>() || !may_be_a_tensor(schema, argument.name);
  return true;
}

bool is_same_call(const NnName& name, const Node& call) {
  const Schema* schema = find_schema(call.target);
  if (!schema || call.args.size() > schema->arguments.size()) return false;
  if (name.max_args && (call.args.size() > name.max_args || !call.kwargs.empty())) return false;
  for (size_t i = 0; i < call.args.size(); ++i) {
    if (!chooses_same(*schema, schema->arguments[i], call.args[i])) return false;
  }
  return std::all_of(call.kwargs.begin(), call.kwargs.end(), [&](const NamedArgument& a) {
    std::optional<size_t> i = schema->find(a.first);
    return i && a.first != "self" && chooses_same(*schema, schema->arguments[*i], a.second);
  });
}

/// By node: whether something else than its items is read.
std::vector<bool> read_whole(const Program& program) {
  std::vector<bool> whole(program.nodes.size());
  const auto mark = [&](NodeRef r) { whole[r.index] = true; };
  for (const Node& n : program.nodes) {
    const bool item = n.target == "operator::getitem" && n.args.size() == 2;
    for (size_t i = item; i < n.args.size(); ++i) for_each_ref(n.args[i], mark);
    for (const NamedArgument& a : n.kwargs) for_each_ref(a.second, mark);
  }
  return whole;
}

bool returns_list(const Node& call) {
  const Schema* schema = find_schema(call.target);
  return schema && schema->returns.size() == 1 && schema->returns[0].list;
}

}  // namespace

std::span<const NnName> nn_names() { return kNames; }

void use_nn_names(Module& module) {
  for (Program& program : module.programs) {
    const std::vector<bool> whole = read_whole(program);
    for (size_t i = 0; i < program.nodes.size(); ++i) {
      Node& n = program.nodes[i];
      if (n.op != Op::kCallFunction) continue;
      if (whole[i] && returns_list(n)) continue;
      auto name = std::ranges::lower_bound(kNames, n.target, {}, &NnName::aten);
      while (name != kNames.end() && name->aten == n.target && !is_same_call(*name, n)) ++name;
      if (name != kNames.end() && name->aten == n.target) n.target = name->nn;
    }
  }
}

}  // namespace onnx2fx::fx
