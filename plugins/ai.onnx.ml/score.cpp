#include "plugins/ai.onnx.ml/score.hpp"

#include <numbers>

#include "plugins/ai.onnx.ml/lookup.hpp"
#include "plugins/ai.onnx.ml/table.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/dtype.hpp"

namespace onnx2fx {
namespace {

// sqrt(2) * erfinv(2 p - 1) with Winitzki's formula for erfinv, which all implementations of this
// operator share: it is off by up to 0.002, and models expect that.
Value probit(Node& n, Value p) {
  constexpr double kA = 0.147;
  const Value x = n.call("aten::sub.Scalar", {n.call("aten::mul.Scalar", {p, 2.0}), 1.0});
  const Value square = n.call("aten::mul.Tensor", {n.call("aten::rsub.Scalar", {x, 1.0}),
                                                   n.call("aten::add.Scalar", {x, 1.0})});
  const Value log = n.call("aten::log", {square});
  const Value v = n.call("aten::add.Scalar",
                         {n.call("aten::mul.Scalar", {log, 0.5}), 2.0 / (std::numbers::pi * kA)});
  const Value w = n.call("aten::mul.Scalar", {log, 1.0 / kA});
  const Value root =
      n.call("aten::sqrt", {n.call("aten::sub.Tensor", {n.call("aten::mul.Tensor", {v, v}), w})});
  const Value size = n.call("aten::sqrt", {n.call("aten::sub.Tensor", {root, v})});
  return n.call("aten::mul.Scalar", {n.call("aten::mul.Tensor", {n.call("aten::sign", {x}), size}),
                                     std::numbers::sqrt2});
}

// Softmax in which a score of 0 stays 0.
Value softmax_zero(Node& n, Value scores) {
  const Value most = n.call("aten::amax", {scores, Ints{-1}, true});
  const Value power = n.call("aten::exp", {n.call("aten::sub.Tensor", {scores, most})});
  const Value small =
      n.call("aten::mul.Tensor", {scores, n.call("aten::exp", {n.call("aten::neg", {most})})});
  const Value zero = n.call("aten::le.Scalar", {n.call("aten::abs", {scores}), 1e-7});
  const Value each = n.call("aten::where.self", {zero, small, power});
  const Value sum = n.call("aten::sum.dim_IntList", {each, Ints{-1}, true});
  const Value none = n.call("aten::eq.Scalar", {sum, 0});
  const Value share = n.call("aten::div.Tensor", {each, sum});
  return n.call("aten::masked_fill.Scalar", {share, none, 0.5});
}

}  // namespace

Labels read_labels(Node& n, const char* integers, const char* texts) {
  Labels labels{n.int64s(integers), n.texts(texts)};
  if (labels.numbers.empty() == labels.texts.empty())
    throw Invalid("expected either " + std::string(integers) + " or " + texts +
                  ", got both or none");
  return labels;
}

Value labels_at(Node& n, Value places, const Labels& labels) {
  return labels.texts.empty() ? numbers_at(n, places, labels.numbers)
                              : texts_at(n, places, labels.texts);
}

Value best(Node& n, Value scores) { return n.call("aten::argmax", {scores, -1}); }

Value transformed(Node& n, Value scores, const std::string& transform) {
  switch (place_among("post_transform", transform,
                      {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"})) {
    case 0:
      return scores;
    case 1:
      return n.call("aten::softmax.int", {scores, -1});
    case 2:
      return n.call("aten::sigmoid", {scores});
    case 3:
      return softmax_zero(n, scores);
    default:
      return probit(n, scores);
  }
}

Value two_scores(Node& n, Value score, const std::string& transform, const Binary& binary) {
  const Value opposite = n.call("aten::neg", {score});
  if (transform == "LOGISTIC")
    return n.call("aten::sigmoid", {n.call("aten::cat", {Values{opposite, score}, 1})});
  if (transform != "NONE")
    throw Unsupported("post_transform " + transform + " of two classes that share one score");
  const Value first = binary.complement ? n.call("aten::rsub.Scalar", {score, 1.0}) : opposite;
  return n.call("aten::cat", {Values{first, score}, 1});
}

Value above(Node& n, Value score, double threshold) {
  const Value second = n.call("aten::gt.Scalar", {score, threshold});
  return to_dtype(n, n.call("aten::squeeze.dim", {second, 1}), kInt64);
}

}  // namespace onnx2fx
