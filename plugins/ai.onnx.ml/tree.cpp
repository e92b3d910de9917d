// TreeEnsemble and the two operators it replaced.
#include <algorithm>
#include <limits>
#include <set>

#include "plugins/ai.onnx.ml/families.hpp"
#include "plugins/ai.onnx.ml/forest.hpp"
#include "plugins/ai.onnx.ml/score.hpp"
#include "plugins/ai.onnx.ml/table.hpp"
#include "plugins/lowering/choices.hpp"

using namespace onnx2fx;

namespace {

// The type in which features are compared exactly, and weights added up.
int32_t working_type(Node& n, const Forest& f) {
  const int32_t x = n.dtype(n.input(0));
  return x == kFloat16 || (x == kFloat && !f.is_double) ? kFloat : kDouble;
}

Verdict verdict(Node& n, const Forest& f, int32_t dtype) {
  return Verdict(n, f, feature_rows(n, n.input(0), dtype), dtype);
}

std::vector<double> base_values(Node& n) {
  if (n.has("base_values")) return n.reals("base_values");
  const Value v = n.maybe_tensor("base_values_as_tensor");
  if (!v) return {};
  const auto reals = n.constant_reals(v);
  if (!reals) throw Invalid("attribute 'base_values_as_tensor': expected floats");
  return *reals;
}

Value with_base(Node& n, Value scores, const std::vector<double>& base, int64_t targets,
                int32_t dtype) {
  if (base.empty()) return scores;
  if (base.size() != static_cast<size_t>(targets))
    throw Unsupported("attribute 'base_values': expected " + std::to_string(targets) +
                      " values, got " + std::to_string(base.size()));
  return n.call("aten::add.Tensor",
                {scores, table(n, "base_values", dtype, base, {}, O2FX_ROLE_PARAMETER)});
}

// post_transform of a regressor. ONNX Runtime does not apply all of them to one target.
Value regressed(Node& n, Value scores, const std::string& transform, int64_t targets) {
  if (targets == 1 && transform != "NONE" && transform != "PROBIT")
    throw Unsupported("post_transform " + transform + " of one target");
  return transformed(n, scores, transform);
}

void tree_ensemble_regressor(Node& n) {
  Forest f = read_forest(n, "target");
  f.targets = n.integer("n_targets", 1);
  const std::string transform = n.text("post_transform");
  const int32_t dtype = working_type(n, f);
  const auto base = base_values(n);
  const size_t how = choice(n, "aggregate_function", {"AVERAGE", "SUM", "MIN", "MAX"});
  Value y = verdict(n, f, dtype).aggregated(static_cast<Aggregate>(how));
  y = with_base(n, y, base, f.targets, dtype);
  n.output(n.cast(regressed(n, y, transform, f.targets), kFloat));
}

void tree_ensemble(Node& n) {
  static constexpr const char* kTransforms[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO",
                                                "PROBIT"};
  const Forest f = read_ensemble(n);
  const int64_t how = n.integer("aggregate_function"), transform = n.integer("post_transform");
  if (how < 0 || how > 3) throw Invalid("attribute 'aggregate_function': expected 0 to 3");
  if (transform < 0 || transform > 4) throw Invalid("attribute 'post_transform': expected 0 to 4");
  const Value y = verdict(n, f, working_type(n, f)).aggregated(static_cast<Aggregate>(how));
  n.output(n.cast(regressed(n, y, kTransforms[transform], f.targets), n.dtype(n.input(0))));
}

// ---- TreeEnsembleClassifier

// Two classes, and weights for the first one only: its score is the second's.
void one_score(Node& n, Forest f, const Labels& labels, const std::string& transform,
               bool probabilities) {
  const int32_t dtype = working_type(n, f);
  const auto base = base_values(n);
  f.targets = 1;
  const Value score =
      with_base(n, verdict(n, f, dtype).aggregated(Aggregate::kSum), base, 1, dtype);
  const double threshold = probabilities ? 0.5 : 0;
  n.output(labels_at(n, above(n, score, threshold), labels), 0);
  if (!n.wanted(1)) return;
  const Value two = two_scores(n, score, transform, {threshold, probabilities});
  n.output(n.cast(two, kFloat), 1);
}

// Two classes, and weights for the second one only.
void second_score(Node& n, Forest f, const Labels& labels, const std::string& transform,
                  bool probabilities) {
  const int32_t dtype = working_type(n, f);
  if (!base_values(n).empty())
    throw Unsupported("attribute 'base_values' of two classes of which one has weights");
  f.targets = 2;
  const Value scores = verdict(n, f, dtype).aggregated(Aggregate::kSum);
  const Value second = n.call("aten::slice.Tensor", {scores, 1, 1, 2});
  const double threshold = probabilities ? 0.5 : 0;
  n.outputs({labels_at(n, above(n, second, threshold), labels),
             n.cast(transformed(n, scores, transform), kFloat)});
}

// A class that no leaf on the way speaks for is not chosen.
void score_for_each(Node& n, Forest f, const Labels& labels, const std::string& transform) {
  const int32_t dtype = working_type(n, f);
  const auto base = base_values(n);
  f.targets = static_cast<int64_t>(labels.size());
  Verdict v = verdict(n, f, dtype);
  const Value scores = with_base(n, v.aggregated(Aggregate::kSum), base, f.targets, dtype);
  Value candidates = scores;
  if (base.empty())
    if (const Value has = v.present())
      candidates = n.call("aten::where.ScalarOther",
                          {has, scores, -std::numeric_limits<double>::infinity()});
  n.outputs({labels_at(n, best(n, candidates), labels),
             n.cast(transformed(n, scores, transform), kFloat)});
}

void tree_ensemble_classifier(Node& n) {
  const Forest f = read_forest(n, "class");
  const Labels labels = read_labels(n, "classlabels_int64s", "classlabels_strings");
  const std::string transform = n.text("post_transform");
  std::set<int64_t> weighted;
  bool probabilities = true;
  for (const Forest::Weight& w : f.weights) {
    weighted.insert(w.target);
    probabilities &= w.weight >= 0;
  }
  if (labels.size() < 2) throw Unsupported("a classifier of one class");
  if (labels.size() > 2 || weighted.size() != 1)
    score_for_each(n, f, labels, transform);
  else if (weighted.contains(0))
    one_score(n, f, labels, transform, probabilities);
  else
    second_score(n, f, labels, transform, probabilities);
}

constexpr o2fx_op kOps[] = {
    op("TreeEnsemble", 5, lower<tree_ensemble>, 0, kMl),
    op("TreeEnsembleClassifier", 1, lower<tree_ensemble_classifier>, 4, kMl),
    op("TreeEnsembleRegressor", 1, lower<tree_ensemble_regressor>, 4, kMl),
};

}  // namespace

const Family kTrees = family(kOps);
