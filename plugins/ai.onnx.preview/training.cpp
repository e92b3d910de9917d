// ai.onnx.preview.training: gradients, and one step of an optimizer on any number of tensors at
// once. R is the learning rate, T the number of steps done before. (ai.onnx.preview itself,
// FlexAttention, is an ONNX function: the host expands it.)
#include <onnx2fx/plugin.hpp>

#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/scalar.hpp"

using namespace onnx2fx;

namespace {

constexpr std::string_view kTraining = "ai.onnx.preview.training";

Value add(Node& n, Value a, Value b) { return n.call("aten::add.Tensor", {a, b}); }
Value sub(Node& n, Value a, Value b) { return n.call("aten::sub.Tensor", {a, b}); }
Value mul(Node& n, Value a, Value b) { return n.call("aten::mul.Tensor", {a, b}); }
Value div(Node& n, Value a, Value b) { return n.call("aten::div.Tensor", {a, b}); }
Value scaled(Node& n, Value a, double by) {
  if (by == 1) return a;
  return n.call("aten::mul.Scalar", {a, by});
}

// Input i after R and T, of optimizers that take groups of `group` tensors each: all X, then all G
// and so on.
struct Operands {
  size_t count = 0;
  Values all;
  Value at(size_t of, size_t i) const { return all[of * count + i]; }
};
Operands read_operands(Node& n, size_t group) {
  Operands r{(n.n_inputs() - 2) / group, n.inputs(2)};
  if (n.n_inputs() < 2 || r.count * group != r.all.size())
    throw Invalid("expected 2 inputs and groups of " + std::to_string(group) + ", got " +
                  std::to_string(n.n_inputs()) + " inputs");
  return r;
}

// The gradient of the loss with its term norm_coefficient / 2 * |X|^2.
Value regularized(Node& n, Value x, Value g) {
  const double coefficient = n.real("norm_coefficient");
  return coefficient == 0 ? g : add(n, scaled(n, x, coefficient), g);
}

// A scalar, possibly in a tensor of one element, as one that no result takes its type or rank from.
Value real_scalar(Node& n, Value v, Value like) { return n.cast(as_scalar(n, v), n.dtype(like)); }

void adagrad(Node& n) {
  const Operands in = read_operands(n, 3);
  const double decay = n.real("decay_factor"), epsilon = n.real("epsilon");
  Values xs, hs;
  for (size_t i = 0; i < in.count; i++) {
    const Value x = in.at(0, i), g = regularized(n, x, in.at(1, i));
    const Value steps = scaled(n, real_scalar(n, n.input(1), x), decay);
    const Value rate =
        div(n, real_scalar(n, n.input(0), x), n.call("aten::add.Scalar", {steps, 1.0}));
    const Value h = add(n, in.at(2, i), mul(n, g, g));
    const Value by = n.call("aten::add.Scalar", {n.call("aten::sqrt", {h}), epsilon});
    xs.push_back(sub(n, x, div(n, mul(n, rate, g), by)));
    hs.push_back(h);
  }
  xs.insert(xs.end(), hs.begin(), hs.end());
  n.outputs(xs);
}

// 1 - base^t.
Value correction(Node& n, double base, Value t) {
  return n.call("aten::rsub.Scalar", {n.call("aten::pow.Scalar", {base, t}), 1.0});
}

// Adam's learning rate; without correction of the bias in the first step.
Value adam_rate(Node& n, Value like, double alpha, double beta) {
  const Value rate = real_scalar(n, n.input(0), like), t = real_scalar(n, n.input(1), like);
  const Value corrected =
      div(n, mul(n, rate, n.call("aten::sqrt", {correction(n, beta, t)})), correction(n, alpha, t));
  return n.call("aten::where.self", {n.call("aten::gt.Scalar", {t, 0}), corrected, rate});
}

void adam(Node& n) {
  const Operands in = read_operands(n, 4);
  const double alpha = n.real("alpha"), beta = n.real("beta"), epsilon = n.real("epsilon");
  const double after = 1 - n.real("norm_coefficient_post");
  Values xs, vs, hs;
  for (size_t i = 0; i < in.count; i++) {
    const Value x = in.at(0, i), g = regularized(n, x, in.at(1, i));
    const Value v = add(n, scaled(n, in.at(2, i), alpha), scaled(n, g, 1 - alpha));
    const Value h = add(n, scaled(n, in.at(3, i), beta), scaled(n, mul(n, g, g), 1 - beta));
    const Value by = n.call("aten::add.Scalar", {n.call("aten::sqrt", {h}), epsilon});
    const Value step = mul(n, adam_rate(n, x, alpha, beta), div(n, v, by));
    xs.push_back(scaled(n, sub(n, x, step), after));
    vs.push_back(v);
    hs.push_back(h);
  }
  xs.insert(xs.end(), vs.begin(), vs.end());
  xs.insert(xs.end(), hs.begin(), hs.end());
  n.outputs(xs);
}

void momentum(Node& n) {
  const Operands in = read_operands(n, 3);
  const double alpha = n.real("alpha"), beta = n.real("beta");
  const bool nesterov = choice(n, "mode", {"standard", "nesterov"}) == 1;
  Values xs, vs;
  for (size_t i = 0; i < in.count; i++) {
    const Value x = in.at(0, i), g = regularized(n, x, in.at(1, i));
    // the first step takes the gradient as it is
    const Value later = n.call("aten::gt.Scalar", {as_scalar(n, n.input(1)), 0});
    const Value first = beta == 1 ? g : n.call("aten::where.self", {later, scaled(n, g, beta), g});
    const Value v = add(n, scaled(n, in.at(2, i), alpha), first);
    const Value step = nesterov ? add(n, g, scaled(n, v, alpha)) : v;
    xs.push_back(sub(n, x, mul(n, real_scalar(n, n.input(0), x), step)));
    vs.push_back(v);
  }
  xs.insert(xs.end(), vs.begin(), vs.end());
  n.outputs(xs);
}

// The part of the graph between the tensors named by xs, zs and the one named by y is a function;
// its derivatives by xs, at the values of the inputs.
void gradient(Node& n) {
  const std::vector<std::string> xs = n.texts("xs"), zs = n.texts("zs");
  std::vector<std::string> names = xs;
  names.insert(names.end(), zs.begin(), zs.end());
  const Values in = n.inputs();
  if (in.size() != names.size())
    throw Invalid("expected an input for each of the " + std::to_string(names.size()) +
                  " names in 'xs' and 'zs', got " + std::to_string(in.size()));
  for (size_t i = 0; i < xs.size(); i++)
    if (!is_floating(n.dtype(in[i])))
      throw Invalid("attribute 'xs': '" + xs[i] + "': expected a floating type");
  n.begin("differentiated");
  Values formals;
  for (size_t i = 0; i < in.size(); i++) formals.push_back(n.placeholder(names[i], n.info(in[i])));
  const Program function = n.end(n.lower_between(names, formals, n.text("y")));
  const auto border = in.begin() + static_cast<std::ptrdiff_t>(xs.size());
  Values operands(border, in.end());
  for (const Value v : n.close({function})) operands.push_back(v);
  n.outputs(
      n.calls(xs.size(), "onnx2fx::gradient", {function, Values(in.begin(), border), operands}));
}

constexpr o2fx_op kOps[] = {
    op("Adagrad", 1, lower<adagrad>, 0, kTraining),
    op("Adam", 1, lower<adam>, 0, kTraining),
    op("Gradient", 1, lower<gradient>, 0, kTraining),
    op("Momentum", 1, lower<momentum>, 0, kTraining),
};

}  // namespace

ONNX2FX_ENTRY(concurrent(plugin_table("onnx2fx.ai-onnx-preview", ONNX2FX_VERSION, kOps)))
