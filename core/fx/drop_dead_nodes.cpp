#include <algorithm>
#include <limits>

#include "core/fx/passes.hpp"
#include "core/fx/schema.hpp"

namespace onnx2fx::fx {
namespace {

constexpr uint32_t kGone = std::numeric_limits<uint32_t>::max();

bool writes(const Module& module, const Node& node) {
  if (node.op == Op::kCallModule) {
    return module.modules[*node.module].type.starts_with("BatchNorm");
  }
  if (node.op != Op::kCallFunction) return false;
  const Schema* schema = find_schema(node.target);
  if (!schema) return false;
  if (schema->mutates()) return true;
  if (node.target != "aten::batch_norm") return false;
  auto bound = bind_arguments(*schema, node);
  if (bound && (*bound)[3] && (*bound)[3]->is_none()) return false;  // no running statistics
  return !bound || !(*bound)[5] || *(*bound)[5] != Argument(false);
}

template <class F>
void for_each_argument(Node& node, F&& f) {
  for (Argument& a : node.args) f(a);
  for (NamedArgument& a : node.kwargs) f(a.second);
}

template <class F>
void for_each_program(Argument& a, F&& f) {
  if (ProgramRef* p = a.as<ProgramRef>()) {
    f(*p);
  } else if (List* l = a.as<List>()) {
    for (Argument& x : *l) for_each_program(x, f);
  }
}

void drop_in(const Module& module, Program& program) {
  std::vector<Node>& nodes = program.nodes;
  std::vector<bool> live(nodes.size());
  for (size_t i = nodes.size(); i-- > 0;) {
    Node& n = nodes[i];
    if (n.op == Op::kPlaceholder || n.op == Op::kOutput || writes(module, n)) live[i] = true;
    if (!live[i]) continue;
    for_each_ref(n, [&](NodeRef r) { live[r.index] = true; });
  }
  std::vector<uint32_t> place(nodes.size(), kGone);
  uint32_t count = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!live[i]) continue;
    place[i] = count;
    if (count != i) nodes[count] = std::move(nodes[i]);
    for_each_ref(nodes[count], [&](NodeRef& r) { r.index = place[r.index]; });
    ++count;
  }
  nodes.resize(count);
}

/// Keeps the elements whose `used` is set; returns old index -> new index.
template <class T>
std::vector<uint32_t> keep(std::vector<T>& items, const std::vector<bool>& used) {
  std::vector<uint32_t> place(items.size(), kGone);
  uint32_t count = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!used[i]) continue;
    place[i] = count;
    if (count != i) items[count] = std::move(items[i]);
    ++count;
  }
  items.erase(items.begin() + count, items.end());
  return place;
}

void keep_programs(Module& module) {
  std::vector<bool> used(module.programs.size());
  std::vector<uint32_t> todo = {0};
  used[0] = true;
  while (!todo.empty()) {
    Program& program = module.programs[todo.back()];
    todo.pop_back();
    for (Node& n : program.nodes) {
      for_each_argument(n, [&](Argument& a) {
        for_each_program(a, [&](ProgramRef p) {
          if (!used[p.index]) todo.push_back(p.index);
          used[p.index] = true;
        });
      });
    }
  }
  std::vector<uint32_t> place = keep(module.programs, used);
  for (Program& program : module.programs) {
    for (Node& n : program.nodes) {
      for_each_argument(n, [&](Argument& a) {
        for_each_program(a, [&](ProgramRef& p) { p.index = place[p.index]; });
      });
    }
  }
}

template <class F>
void for_each_node(Module& module, F&& f) {
  for (Program& program : module.programs) {
    for (Node& n : program.nodes) f(n);
  }
}

void keep_modules(Module& module) {
  std::vector<bool> used(module.modules.size());
  for_each_node(module, [&](Node& n) {
    if (n.module) used[*n.module] = true;
  });
  std::vector<uint32_t> place = keep(module.modules, used);
  for_each_node(module, [&](Node& n) {
    if (n.module) n.module = place[*n.module];
  });
}

void keep_tensors(Module& module) {
  std::vector<bool> used(module.tensors.size());
  for_each_node(module, [&](Node& n) {
    if (n.tensor) used[*n.tensor] = true;
  });
  for (Submodule& m : module.modules) {
    for (Submodule::TensorUse& u : m.tensors) used[u.tensor] = true;
  }
  std::vector<uint32_t> place = keep(module.tensors, used);
  for_each_node(module, [&](Node& n) {
    if (n.tensor) n.tensor = place[*n.tensor];
  });
  for (Submodule& m : module.modules) {
    for (Submodule::TensorUse& u : m.tensors) u.tensor = place[u.tensor];
  }
}

}  // namespace

// Sources stay, used or not: Module::sources mirrors the store that opened them, by index.
void drop_dead_nodes(Module& module) {
  for (Program& program : module.programs) drop_in(module, program);
  keep_programs(module);
  keep_modules(module);
  keep_tensors(module);
}

}  // namespace onnx2fx::fx
