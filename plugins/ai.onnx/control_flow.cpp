#include "plugins/ai.onnx/control_flow.hpp"

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/types.hpp"

namespace onnx2fx::control_flow {
namespace {

struct Branches {
  std::vector<Program> programs;
  std::vector<Type> types;  // what both have in common, one for each result
  bool compatible = true;   // a higher-order operator may hold them
};

Branches lower_branches(Node& n, Graph then_branch, Graph else_branch) {
  Branches b;
  for (const bool then : {true, false}) {
    n.begin(then ? "then" : "else");
    const Values results = n.lower(then ? then_branch : else_branch, {});
    for (size_t i = 0; i < results.size(); i++) {
      const Type t(n.info(results[i]));
      if (then) {
        b.types.push_back(t);
        continue;
      }
      b.compatible &= compatible_tensors(b.types[i].info(), t.info());
      b.types[i] = common(b.types[i], t);
    }
    b.programs.push_back(n.end(results));
  }
  return b;
}

}  // namespace

// A condition known at conversion time leaves one branch, inline.
void if_else(Node& n) {
  const Value condition = n.input(0);
  const Graph then_branch = n.graph("then_branch"), else_branch = n.graph("else_branch");
  if (const std::optional<bool> known = n.constant_bool(condition)) {
    n.annotate("form", *known ? "then branch inline: the condition is constant"
                              : "else branch inline: the condition is constant");
    return n.outputs(n.lower(*known ? then_branch : else_branch, {}));
  }
  const Branches b = lower_branches(n, then_branch, else_branch);
  const Values operands = n.close(b.programs);
  const bool holds = b.compatible && are_operands(n, operands);
  n.annotate("form",
             holds ? "cond: both branches return the same types of tensors"
                   : "leaf: the branches return different types, or what is no tensor is used");
  const Values r = n.calls(n.n_outputs(), holds ? "higher_order::cond" : "onnx2fx::cond",
                           {condition, b.programs[0], b.programs[1], operands});
  for (size_t i = 0; i < r.size(); i++) {
    const Type& t = b.types[i];
    if (t.raw().kind == O2FX_KIND_UNKNOWN) continue;
    n.state(r[i], t.info().is_tensor() ? t.info() : t.loosened().info());
  }
  n.outputs(r);
}

}  // namespace onnx2fx::control_flow

using namespace onnx2fx;

static constexpr o2fx_op kOps[] = {
    op("If", 1, lower<control_flow::if_else>),
    op("Loop", 1, lower<control_flow::loop>),
    op("Scan", 8, lower<control_flow::scan_8>, 8),
    op("Scan", 9, lower<control_flow::scan_9>),
};
const Family kControlFlow = family(kOps);
