// Activations, some of them with the bias that stands before them: BiasGelu, FastGelu, Gelu,
// QuickGelu, BiasSoftmax, BiasSplitGelu, BiasAdd.
#include "plugins/com.microsoft/families.hpp"
#include "plugins/com.microsoft/fused_activation.hpp"
#include "plugins/lowering/functions.hpp"
#include "plugins/lowering/softmax.hpp"

using namespace onnx2fx;
using namespace contrib;

namespace {

Value biased(Node& n, Value x, Value bias) {
  return bias ? n.call("aten::add.Tensor", {x, n.role(bias, O2FX_ROLE_PARAMETER)}) : x;
}

void gelu(Node& n, const char* approximate) {
  const Value x = n.input(0);
  const Value in = biased(n, x, n.n_inputs() > 1 ? n.maybe_input(1) : Value{});
  n.output(n.call("aten::gelu", {in}, {{"approximate", approximate}}));
}

void quick_gelu(Node& n) {
  const Value x = n.input(0);
  const Value steep = n.call("aten::mul.Scalar", {x, n.real("alpha", 1.702)});
  n.output(n.call("aten::mul.Tensor", {x, n.call("aten::sigmoid", {steep})}));
}

void bias_split_gelu(Node& n) {
  const Value x = n.input(0);
  const Values halves = n.calls(2, "aten::chunk", {biased(n, x, n.input(1)), 2, -1});
  const Value gate = n.call("aten::gelu", {halves[1]});
  n.output(n.call("aten::mul.Tensor", {halves[0], gate}));
}

void bias_add(Node& n) {
  const Value x = n.input(0);
  const Value y = n.call("aten::add.Tensor", {biased(n, x, n.input(1)), n.input(2)});
  n.output(n.state(y, n.info(x)));
}

// The axes from `axis` on count as one. Either way of repeating the bias (over the axes before
// `axis`, or over some of them) is numpy's, where the bias keeps all axes.
void bias_softmax(Node& n) {
  const Value x = n.input(0), bias = n.input(1);
  const int64_t rank = n.rank(x, 1), axis = Node::axis(n.integer("axis", 1), rank);
  if (n.flag("is_inner_broadcast", false) && n.rank(bias) != rank)
    throw Unsupported("input 1: expected rank " + std::to_string(rank) +
                      " with is_inner_broadcast, got " + std::to_string(n.rank(bias)));
  const Value sum = n.state(n.call("aten::add.Tensor", {x, bias}), n.info(x));
  const Value y = over_axes_from(n, sum, axis, [&](Value v, int64_t a) {
    return n.call("aten::softmax.int", {v, a});
  });
  n.output(y);
}

constexpr o2fx_op kOps[] = {
    row("BiasAdd", lower<bias_add>),
    row_to("BiasGelu", lower_to<gelu>, "none"),
    row("BiasSoftmax", lower<bias_softmax>),
    row("BiasSplitGelu", lower<bias_split_gelu>),
    row_to("FastGelu", lower_to<gelu>, "tanh"),
    row_to("Gelu", lower_to<gelu>, "none"),
    row("QuickGelu", lower<quick_gelu>),
};

double parameter(const std::string& name, const std::vector<double>& all, size_t i) {
  if (i < all.size()) return all[i];
  throw Invalid("activation '" + name + "': expected " + std::to_string(i + 1) +
                " parameters or more, got " + std::to_string(all.size()));
}

}  // namespace

Value contrib::activated(Node& n, Value x, const std::string& name,
                         const std::vector<double>& parameters) {
  const auto p = [&](size_t i) { return parameter(name, parameters, i); };
  if (name.empty()) return x;
  if (name == "Clip") return n.call("aten::clamp", {x, p(0), p(1)});
  if (name == "ThresholdedRelu") return n.call("aten::threshold", {x, p(0), 0});
  const Function* known = function_named(name);
  if (!known)
    throw Unsupported("attribute 'activation': expected a known activation, got '" + name + "'");
  Function f = *known;
  if (f.takes_alpha) f.alpha = p(0);
  if (f.takes_beta) f.beta = p(1);
  return apply(n, f, x);
}

const Family kActivation = family(kOps);
