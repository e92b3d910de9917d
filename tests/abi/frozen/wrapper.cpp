// A pack of minor 0 through the C++ wrapper of its day. ID: who compiled it.
#include <onnx2fx/plugin.hpp>

using namespace onnx2fx;

static void scaled(Node& n) {
  n.ignore("comment");
  const Value y = n.call("aten::mul.Scalar", {n.input(0), n.real("scale")});
  n.meta(y, "kind", "scaled");
  n.output(y);
  if (n.wanted(1)) n.output(n.call("aten::add.Scalar", {y, 1}), 1);
  n.annotate("scale", "present");
  n.annotate("comment", "present");
}

static void sizes(Node& n) {
  const Value x = n.input(0);
  n.output(n.call("aten::reshape", {x, n.ints(n.input(1))}));
  n.output(n.int_tensor(Ints{n.dim(x, 0)}), 1);
  n.output(n.call("aten::cat", {*n.items(n.list({x, x})), 0}), 2);
}

static Program branch(Node& n, std::string_view name) {
  const Graph graph = n.graph(name);
  n.begin(name);
  return n.end(n.lower(graph, {}));
}
static void either(Node& n) {
  const Value chosen = n.input(0);
  const Program yes = branch(n, "yes"), no = branch(n, "no");
  n.outputs(n.calls(1, "higher_order::cond", {chosen, yes, no, n.close({yes, no})}));
}

static void fails(Node&) { throw Invalid("expected another operator, got this one"); }

static constexpr o2fx_op kOps[] = {
    op("Either", 1, lower<either>, 0, "frozen"), op("Fails", 1, lower<fails>, 0, "frozen"),
    op("Scaled", 1, lower<scaled>, 0, "frozen"), op("Sizes", 1, lower<sizes>, 0, "frozen"),
    direct("Sine", 1, "aten::sin", 0, "frozen"),
};
ONNX2FX_ENTRY(concurrent(plugin_table("com.frozen." ID, "1.0.0", kOps)))
