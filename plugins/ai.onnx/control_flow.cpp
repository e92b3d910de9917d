#include "plugins/ai.onnx/control_flow.hpp"

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/sizes.hpp"
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

// The condition as a Python bool, where it depends on sizes only: torch.export guards on it, or
// keeps it as the predicate of cond.
static std::optional<Int> sizes_decide(Node& n, Value condition) {
  const auto truth = n.maybe_ints(condition, O2FX_INTS_KNOWN_ONLY);
  return truth && truth->size() == 1 ? std::optional(truth->front()) : std::nullopt;
}

static bool gives_sizes(Node& n, Graph g) {
  for (uint32_t k = 0; k < g.n_outputs; k++) {
    const o2fx_value_info declared = n.formal(g, true, k).raw;
    if (declared.dtype != kInt64 || declared.rank < 0 || declared.rank > 1) return false;
  }
  return true;
}

// Sizes chosen by sizes stay sizes: both branches are shape arithmetic, and neither runs.
static std::optional<Values> chosen(Node& n, const Int& condition, Graph then_branch,
                                    Graph else_branch) {
  if (!gives_sizes(n, then_branch) || !gives_sizes(n, else_branch)) return std::nullopt;
  const Values a = n.lower(then_branch, {}), b = n.lower(else_branch, {});
  Values r;
  for (size_t k = 0; k < a.size(); k++) {
    const auto x = n.maybe_ints(a[k], O2FX_INTS_KNOWN_ONLY),
               y = n.maybe_ints(b[k], O2FX_INTS_KNOWN_ONLY);
    const int32_t rank = n.info(a[k]).raw.rank;
    if (!x || !y || x->size() != y->size() || rank != n.info(b[k]).raw.rank || rank < 0)
      return std::nullopt;
    Ints sizes;
    for (size_t i = 0; i < x->size(); i++)
      sizes.push_back(sizes::choose(n, condition, (*x)[i], (*y)[i]));
    r.push_back(rank == 0 ? n.int_tensor(sizes[0]) : n.int_tensor(sizes));
  }
  return r;
}

static std::string form_of(bool holds, bool by_sizes) {
  const std::string form =
      holds      ? "cond: both branches return the same types of tensors"
      : by_sizes ? "guard: the branches return different types, or what is no tensor is used"
                 : "leaf: the branches return different types, or what is no tensor is used";
  return by_sizes ? form + "; the condition depends on sizes only" : form;
}

// A condition known at conversion time leaves one branch, inline.
void if_else(Node& n) {
  const Value condition = n.input(0);
  const Graph then_branch = n.graph("then_branch"), else_branch = n.graph("else_branch");
  if (const std::optional<bool> known = n.constant_bool(condition)) {
    n.annotate("form", *known ? "then branch inline: the condition is constant"
                              : "else branch inline: the condition is constant");
    return n.outputs(n.lower(*known ? then_branch : else_branch, {}));
  }
  const std::optional<Int> by_sizes = sizes_decide(n, condition);
  if (by_sizes)
    if (const auto sizes = chosen(n, *by_sizes, then_branch, else_branch)) {
      n.annotate("form", "sizes: chosen by sizes, without a branch");
      return n.outputs(*sizes);
    }
  const Branches b = lower_branches(n, then_branch, else_branch);
  const Values operands = n.close(b.programs);
  const bool holds = b.compatible && are_operands(n, operands);
  n.annotate("form", form_of(holds, by_sizes.has_value()));
  const Values r =
      n.calls(n.n_outputs(), holds ? "higher_order::cond" : "onnx2fx::cond",
              {by_sizes ? Arg(*by_sizes) : Arg(condition), b.programs[0], b.programs[1], operands});
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
