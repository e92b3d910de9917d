#include "plugins/lowering/functions.hpp"

#include <algorithm>
#include <cctype>
#include <string>

namespace onnx2fx {
namespace {

constexpr Function kFunctions[] = {
    {"affine", true, true, 1, 0},           {"elu", true, false, 1, 0},
    {"hardsigmoid", true, true, 0.2, 0.5},  {"leakyrelu", true, false, 0.01, 0},
    {"relu", false, false, 0, 0},           {"scaledtanh", true, true, 1, 1},
    {"sigmoid", false, false, 0, 0},        {"softplus", false, false, 0, 0},
    {"softsign", false, false, 0, 0},       {"tanh", false, false, 0, 0},
    {"thresholdedrelu", true, false, 1, 0},
};

bool same_letters(std::string_view a, std::string_view lower) {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(),
                    [](unsigned char x, char y) { return std::tolower(x) == y; });
}

Value scaled(Node& n, Value x, double by) {
  return by == 1 ? x : n.call("aten::mul.Scalar", {x, by});
}

}  // namespace

Value affine(Node& n, Value x, double alpha, double beta) {
  const Value y = scaled(n, x, alpha);
  return beta == 0 ? y : n.call("aten::add.Scalar", {y, beta});
}

Value hard_sigmoid(Node& n, Value x, double alpha, double beta) {
  return n.call("aten::clamp", {affine(n, x, alpha, beta), 0, 1});
}

Value softsign(Node& n, Value x) {
  const Value size = n.call("aten::add.Scalar", {n.call("aten::abs", {x}), 1});
  return n.call("aten::div.Tensor", {x, size});
}

const Function* function_named(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kFunctions), std::end(kFunctions),
                   [&](const Function& f) { return same_letters(name, f.name); });
  return found == std::end(kFunctions) ? nullptr : found;
}

Value apply(Node& n, const Function& f, Value x) {
  if (f.name == "affine") return affine(n, x, f.alpha, f.beta);
  if (f.name == "elu") return n.call("aten::elu", {x, f.alpha});
  if (f.name == "hardsigmoid") return hard_sigmoid(n, x, f.alpha, f.beta);
  if (f.name == "leakyrelu") return n.call("aten::leaky_relu", {x, f.alpha});
  if (f.name == "scaledtanh")
    return scaled(n, n.call("aten::tanh", {scaled(n, x, f.beta)}), f.alpha);
  if (f.name == "softsign") return softsign(n, x);
  if (f.name == "thresholdedrelu")  // x where it is alpha, unlike the operator of that name
    return n.call("aten::where.ScalarOther", {n.call("aten::ge.Scalar", {x, f.alpha}), x, 0.0});
  return n.call("aten::" + std::string(f.name), {x});
}

}  // namespace onnx2fx
