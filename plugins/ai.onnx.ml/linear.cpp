// Linear models; their coefficients are parameters.
#include "plugins/ai.onnx.ml/families.hpp"
#include "plugins/ai.onnx.ml/score.hpp"
#include "plugins/ai.onnx.ml/table.hpp"

using namespace onnx2fx;

namespace {

// `targets` scores of each row of X; 0: as many as the coefficients and X's width say.
Value linear_scores(Node& n, int64_t& targets) {
  const auto coefficients = n.reals("coefficients"), intercepts = n.reals("intercepts");
  const int64_t count = static_cast<int64_t>(coefficients.size());
  if (!targets) targets = static_cast<int64_t>(intercepts.size());
  const Value x = feature_rows(n, n.input(0), kFloat);
  if (!targets) {
    const int64_t width = n.dim(x, 1).literal("the width of X");
    targets = width ? count / width : 0;
  }
  if (targets <= 0 || count == 0 || count % targets)
    throw Invalid("attribute 'coefficients': expected a multiple of " + std::to_string(targets) +
                  " values, got " + std::to_string(count));
  const Value weight =
      table(n, "weight", kFloat, coefficients, {targets, count / targets}, O2FX_ROLE_PARAMETER);
  if (intercepts.empty()) return n.call("aten::linear", {x, weight});
  if (intercepts.size() != static_cast<size_t>(targets))
    throw Invalid("attribute 'intercepts': expected " + std::to_string(targets) + " values, got " +
                  std::to_string(intercepts.size()));
  const Value bias = table(n, "bias", kFloat, intercepts, {}, O2FX_ROLE_PARAMETER);
  return n.call("aten::linear", {x, weight, bias});
}

void linear_regressor(Node& n) {
  const std::string transform = n.text("post_transform");
  int64_t targets = n.integer("targets");
  const Value scores = linear_scores(n, targets);
  if (targets == 1 && transform != "NONE" && transform != "PROBIT")
    throw Unsupported("post_transform " + transform + " of one target");
  n.output(transformed(n, scores, transform));
}

void linear_classifier(Node& n) {
  const std::string transform = n.text("post_transform");
  const Labels labels = read_labels(n, "classlabels_ints", "classlabels_strings");
  n.ignore("multi_class");
  int64_t classes = 0;
  const Value scores = linear_scores(n, classes);
  if (classes == 1 && labels.size() == 2) {
    n.outputs({labels_at(n, above(n, scores, 0), labels),
               two_scores(n, scores, transform, {.threshold = 0, .complement = true})});
    return;
  }
  if (classes == 1) throw Unsupported("a classifier of one class");
  if (labels.size() != static_cast<size_t>(classes))
    throw Invalid("expected " + std::to_string(classes) + " class labels, got " +
                  std::to_string(labels.size()));
  n.outputs({labels_at(n, best(n, scores), labels), transformed(n, scores, transform)});
}

constexpr o2fx_op kOps[] = {
    op("LinearClassifier", 1, lower<linear_classifier>, 0, kMl),
    op("LinearRegressor", 1, lower<linear_regressor>, 0, kMl),
};

}  // namespace

const Family kLinear = family(kOps);
