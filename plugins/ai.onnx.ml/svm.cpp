// Support vector machines: one kernel product with all vectors, then linear maps on it.
#include <algorithm>

#include "plugins/ai.onnx.ml/families.hpp"
#include "plugins/ai.onnx.ml/score.hpp"
#include "plugins/ai.onnx.ml/table.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/dtype.hpp"

using namespace onnx2fx;

namespace {

struct Kernel {
  std::string type;
  double gamma = 0, coef0 = 0, degree = 0;
};
Kernel read_kernel(Node& n) {
  Kernel k{one_of(n, "kernel_type", {"LINEAR", "POLY", "RBF", "SIGMOID"})};
  const auto p = n.reals("kernel_params");
  if (!p.empty() && p.size() != 3)
    throw Invalid("attribute 'kernel_params': expected 3 values, got " + std::to_string(p.size()));
  if (!p.empty()) k = {k.type, p[0], p[1], p[2]};
  return k;
}

// The kernel of each row of x with each of the vectors.
Value kernel_of(Node& n, Value x, Value vectors, const Kernel& k) {
  if (k.type == "RBF") {
    const Value distance = n.call("aten::cdist", {x, vectors, 2.0, 2});
    const Value square = n.call("aten::mul.Tensor", {distance, distance});
    return n.call("aten::exp", {n.call("aten::mul.Scalar", {square, -k.gamma})});
  }
  const Value product = n.call("aten::linear", {x, vectors});
  if (k.type == "LINEAR") return product;
  const Value shifted =
      n.call("aten::add.Scalar", {n.call("aten::mul.Scalar", {product, k.gamma}), k.coef0});
  if (k.type == "SIGMOID") return n.call("aten::tanh", {shifted});
  return n.call("aten::pow.Tensor_Scalar", {shifted, k.degree});
}

Value parameter(Node& n, const char* name, const std::vector<double>& data, int64_t rows) {
  const int64_t count = static_cast<int64_t>(data.size());
  if (rows <= 0 || count == 0 || count % rows)
    throw Invalid("attribute '" + std::string(name) + "': expected a multiple of " +
                  std::to_string(rows) + " values, got " + std::to_string(count));
  return table(n, name, kFloat, data, {rows, count / rows}, O2FX_ROLE_PARAMETER);
}

Value bias_of(Node& n, const std::vector<double>& rho, size_t count) {
  if (rho.size() < count)
    throw Invalid("attribute 'rho': expected " + std::to_string(count) + " values, got " +
                  std::to_string(rho.size()));
  const std::vector<double> first(rho.begin(), rho.begin() + static_cast<ptrdiff_t>(count));
  return table(n, "rho", kFloat, first, {}, O2FX_ROLE_PARAMETER);
}

void svm_regressor(Node& n) {
  const std::string transform = n.text("post_transform");
  const Kernel kernel = read_kernel(n);
  const int64_t supports = n.integer("n_supports");
  const auto coefficients = n.reals("coefficients"), vectors = n.reals("support_vectors");
  const auto rho = n.reals("rho");
  const Value x = feature_rows(n, n.input(0), kFloat);
  const Value k =
      supports ? kernel_of(n, x, parameter(n, "support_vectors", vectors, supports), kernel) : x;
  const Value weight = parameter(n, "coefficients", coefficients, 1);
  Value y = n.call("aten::linear", {k, weight, bias_of(n, rho, 1)});
  if (n.flag("one_class")) {
    const Value sign = to_dtype(n, n.call("aten::gt.Scalar", {y, 0}), kFloat);
    y = n.call("aten::sub.Scalar", {n.call("aten::mul.Scalar", {sign, 2}), 1});
  }
  if (transform != "NONE") throw Unsupported("post_transform " + transform + " of one target");
  n.output(y);
}

// ---- SVMClassifier: one machine for each pair of classes

struct Pairs {
  int64_t classes = 0;
  std::vector<int64_t> first, second;
  size_t size() const { return first.size(); }
};
Pairs pairs_of(int64_t classes) {
  Pairs p{classes, {}, {}};
  for (int64_t i = 0; i < classes; i++)
    for (int64_t j = i + 1; j < classes; j++) {
      p.first.push_back(i);
      p.second.push_back(j);
    }
  return p;
}

// The coefficients of the pair (i, j): row j - 1 for the vectors of class i, row i for those of j.
std::vector<double> pair_weights(const std::vector<double>& coefficients,
                                 const std::vector<int64_t>& per_class, int64_t vectors,
                                 const Pairs& pairs) {
  std::vector<int64_t> start(per_class.size() + 1, 0);
  for (size_t c = 0; c < per_class.size(); c++) start[c + 1] = start[c] + per_class[c];
  std::vector<double> r(pairs.size() * static_cast<size_t>(vectors), 0.0);
  for (size_t p = 0; p < pairs.size(); p++)
    for (const auto& [of, row] : {std::pair{pairs.first[p], pairs.second[p] - 1},
                                  std::pair{pairs.second[p], pairs.first[p]}})
      for (int64_t v = start[static_cast<size_t>(of)]; v < start[static_cast<size_t>(of) + 1]; v++)
        r[p * static_cast<size_t>(vectors) + static_cast<size_t>(v)] =
            coefficients[static_cast<size_t>(row * vectors + v)];
  return r;
}

// A 1 in row p at the class of pair p.
Value indicator(Node& n, const char* name, const std::vector<int64_t>& of, int64_t classes) {
  std::vector<double> r(of.size() * static_cast<size_t>(classes), 0.0);
  for (size_t p = 0; p < of.size(); p++)
    r[p * static_cast<size_t>(classes) + static_cast<size_t>(of[p])] = 1;
  return table(n, name, kFloat, r, {static_cast<int64_t>(of.size()), classes});
}

// For each class how many of its pairs it wins.
Value votes(Node& n, Value scores, const Pairs& pairs) {
  const Value won = to_dtype(n, n.call("aten::gt.Scalar", {scores, 0}), kFloat);
  const Value lost = n.call("aten::rsub.Scalar", {won, 1.0});
  const Value a =
      n.call("aten::matmul", {won, indicator(n, "first_of_pair", pairs.first, pairs.classes)});
  const Value b =
      n.call("aten::matmul", {lost, indicator(n, "second_of_pair", pairs.second, pairs.classes)});
  return n.call("aten::add.Tensor", {a, b});
}

// The probability of the first class of each pair, [N, pairs], as the matrix [N, k, k] of those
// of i against j, 0 on the diagonal.
Value pairwise_matrix(Node& n, Value p, const Pairs& pairs) {
  const int64_t k = pairs.classes;
  std::vector<int64_t> upper, lower;
  for (size_t i = 0; i < pairs.size(); i++) {
    upper.push_back(pairs.first[i] * k + pairs.second[i]);
    lower.push_back(pairs.second[i] * k + pairs.first[i]);
  }
  const Int rows = n.dim(p, 0);
  Value flat = n.call("aten::new_zeros", {p, Ints{rows, k * k}});
  flat = n.call("aten::index_add", {flat, 1, table(n, "upper", kInt64, upper), p});
  const Value q = n.call("aten::rsub.Scalar", {p, 1.0});
  flat = n.call("aten::index_add", {flat, 1, table(n, "lower", kInt64, lower), q});
  return n.call("aten::reshape", {flat, Ints{rows, k, k}});
}

// One sweep of libsvm's iteration, on rows that have not converged yet.
Value sweep(Node& n, Value probability, Value q, int64_t k) {
  const auto column = [&](Value v, int64_t t) {
    return n.call("aten::slice.Tensor", {v, 1, t, t + 1});
  };
  Value p = probability;
  Value qp = n.call("aten::squeeze.dim",
                    {n.call("aten::matmul", {q, n.call("aten::unsqueeze", {p, 2})}), 2});
  Value pqp = n.call("aten::sum.dim_IntList", {n.call("aten::mul.Tensor", {p, qp}), Ints{1}, true});
  const Value error = n.call(
      "aten::amax", {n.call("aten::abs", {n.call("aten::sub.Tensor", {qp, pqp})}), Ints{1}, true});
  const Value done = n.call("aten::lt.Scalar", {error, 0.005 / static_cast<double>(k)});
  for (int64_t t = 0; t < k; t++) {
    const Value row = n.call("aten::select.int", {q, 1, t}), diagonal = column(row, t);
    const Value at = column(qp, t);
    const Value diff =
        n.call("aten::div.Tensor", {n.call("aten::sub.Tensor", {pqp, at}), diagonal});
    const Value scale = n.call("aten::add.Scalar", {diff, 1.0});
    const Value slope = n.call("aten::add.Tensor", {n.call("aten::mul.Tensor", {diff, diagonal}),
                                                    n.call("aten::mul.Scalar", {at, 2.0})});
    pqp = n.call("aten::add.Tensor", {pqp, n.call("aten::mul.Tensor", {diff, slope})});
    pqp = n.call("aten::div.Tensor", {pqp, n.call("aten::mul.Tensor", {scale, scale})});
    std::vector<double> unit(static_cast<size_t>(k), 0.0);
    unit[static_cast<size_t>(t)] = 1;
    const Value step = n.call("aten::mul.Tensor", {diff, table(n, "unit", kFloat, unit, {1, k})});
    p = n.call("aten::div.Tensor", {n.call("aten::add.Tensor", {p, step}), scale});
    const Value shift = n.call("aten::mul.Tensor", {diff, row});
    qp = n.call("aten::div.Tensor", {n.call("aten::add.Tensor", {qp, shift}), scale});
  }
  return n.call("aten::where.self", {done, probability, p});
}

// Probabilities of k classes from those of their pairs: libsvm's iteration, which ends when it has
// converged, and at the latest after 100 sweeps.
Value coupled(Node& n, Value pairwise, int64_t k) {
  const Value r = n.call("aten::transpose.int", {pairwise, 1, 2});  // r[i, j] = P(j against i)
  const Value squares =
      n.call("aten::sum.dim_IntList", {n.call("aten::mul.Tensor", {pairwise, pairwise}), Ints{1}});
  const Value cross = n.call("aten::neg", {n.call("aten::mul.Tensor", {pairwise, r})});
  const Value q = n.call("aten::add.Tensor", {cross, n.call("aten::diag_embed", {squares})});
  const Value start = n.call("aten::new_full",
                             {pairwise, Ints{n.dim(pairwise, 0), k}, 1.0 / static_cast<double>(k)});
  const Value steps =
      n.call("aten::arange", {std::max<int64_t>(100, k)}, {{"device", DeviceOf{pairwise}}});
  n.begin("sweep");
  const Value p = n.placeholder("probability", Info::tensor(kFloat, 2));
  n.placeholder("step", Info::tensor(kInt64, 0));
  Program step = n.end(Values{sweep(n, p, q, k)});
  const Values operands = n.close({step});
  return n.calls(1, "higher_order::scan", {step, Values{start}, Values{steps}, operands})[0];
}

Value probabilities(Node& n, Value scores, const Pairs& pairs, const std::vector<double>& a,
                    const std::vector<double>& b) {
  if (a.size() != pairs.size() || b.size() != pairs.size())
    throw Invalid("attributes 'prob_a', 'prob_b': expected " + std::to_string(pairs.size()) +
                  " values, got " + std::to_string(a.size()) + " and " + std::to_string(b.size()));
  const Value slope = table(n, "prob_a", kFloat, a, {}, O2FX_ROLE_PARAMETER);
  const Value shift = table(n, "prob_b", kFloat, b, {}, O2FX_ROLE_PARAMETER);
  const Value v = n.call("aten::add.Tensor", {n.call("aten::mul.Tensor", {scores, slope}), shift});
  const Value p = n.call("aten::sigmoid", {n.call("aten::neg", {v})});
  const Value inside = n.call("aten::clamp", {p, 1e-7, 1 - 1e-7});
  return coupled(n, pairwise_matrix(n, inside, pairs), pairs.classes);
}

void one_against_one(Node& n, Value x, const Kernel& kernel, const Labels& labels,
                     const std::vector<int64_t>& per_class, const std::string& transform) {
  const auto coefficients = n.reals("coefficients"), rho = n.reals("rho");
  const auto a = n.reals("prob_a"), b = n.reals("prob_b");
  int64_t vectors = 0;
  for (const int64_t count : per_class) vectors += count;
  const Pairs pairs = pairs_of(static_cast<int64_t>(labels.size()));
  if (per_class.size() != labels.size() || labels.size() < 2 ||
      coefficients.size() != (labels.size() - 1) * static_cast<size_t>(vectors))
    throw Invalid("expected vectors and coefficients for " + std::to_string(labels.size()) +
                  " classes");
  const Value k =
      kernel_of(n, x, parameter(n, "support_vectors", n.reals("support_vectors"), vectors), kernel);
  const Value weight =
      table(n, "coefficients", kFloat, pair_weights(coefficients, per_class, vectors, pairs),
            {static_cast<int64_t>(pairs.size()), vectors}, O2FX_ROLE_PARAMETER);
  const Value scores = n.call("aten::linear", {k, weight, bias_of(n, rho, pairs.size())});
  n.output(labels_at(n, best(n, votes(n, scores, pairs)), labels), 0);
  if (!n.wanted(1)) return;
  if (!a.empty())
    n.output(transformed(n, probabilities(n, scores, pairs, a, b), transform), 1);
  else if (pairs.size() == 1)
    n.output(two_scores(n, scores, transform, {}), 1);
  else
    n.output(transformed(n, scores, transform), 1);
}

void svm_classifier(Node& n) {
  const std::string transform = n.text("post_transform");
  const Labels labels = read_labels(n, "classlabels_ints", "classlabels_strings");
  const Kernel kernel = read_kernel(n);
  const auto per_class = n.integers("vectors_per_class");
  const Value x = feature_rows(n, n.input(0), kFloat);
  if (!per_class.empty()) return one_against_one(n, x, kernel, labels, per_class, transform);
  if (labels.size() < 3) throw Unsupported("a linear classifier of fewer than three classes");
  for (const char* other : {"prob_a", "prob_b", "support_vectors"}) n.ignore(other);
  const int64_t classes = static_cast<int64_t>(labels.size());
  const Value weight = parameter(n, "coefficients", n.reals("coefficients"), classes);
  const Value bias = bias_of(n, n.reals("rho"), 1);  // the first is every class's
  const Value scores = n.call("aten::add.Tensor", {n.call("aten::linear", {x, weight}), bias});
  n.outputs({labels_at(n, best(n, scores), labels), transformed(n, scores, transform)});
}

constexpr o2fx_op kOps[] = {
    op("SVMClassifier", 1, lower<svm_classifier>, 0, kMl),
    op("SVMRegressor", 1, lower<svm_regressor>, 0, kMl),
};

}  // namespace

const Family kSvm = family(kOps);
