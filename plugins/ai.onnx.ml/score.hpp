// From scores to what the classifiers and regressors of ai.onnx.ml give: post_transform, and the
// label of the best class. Where the standard leaves something open, ONNX Runtime shows how models
// mean it; what the two of ONNX Runtime and ONNX's reference read differently is refused.
#ifndef ONNX2FX_PLUGINS_AI_ONNX_ML_SCORE_HPP_
#define ONNX2FX_PLUGINS_AI_ONNX_ML_SCORE_HPP_

#include <onnx2fx/plugin.hpp>

namespace onnx2fx {

/// Labels of classes: integers or strings.
struct Labels {
  std::vector<int64_t> numbers;
  std::vector<std::string> texts;
  size_t size() const { return texts.empty() ? numbers.size() : texts.size(); }
};
Labels read_labels(Node& n, const char* integers, const char* texts);
/// The labels of classes given by their places.
Value labels_at(Node& n, Value places, const Labels& labels);
/// The place of the greatest score of each row.
Value best(Node& n, Value scores);

/// post_transform of rows [N, C] of one score for each class or target.
Value transformed(Node& n, Value scores, const std::string& transform);

/// How the one score [N, 1] of two classes is read.
struct Binary {
  double threshold = 0;     ///< above it stands the second class
  bool complement = false;  ///< the first class has 1 - score; else -score
};
/// The scores [N, 2] of two classes.
Value two_scores(Node& n, Value score, const std::string& transform, const Binary& binary);
/// The place, 0 or 1, of the class of each row.
Value above(Node& n, Value score, double threshold);

}  // namespace onnx2fx

#endif
