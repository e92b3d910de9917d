// Losses of a classifier.
#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/choices.hpp"
#include "plugins/lowering/dtype.hpp"

using namespace onnx2fx;

namespace {

// The arguments that ATen's losses have in common, behind scores and labels.
struct LossArguments {
  Value labels, weight;
  int64_t reduction = 1, ignore_index = -100;  // no class is negative
};

LossArguments read_arguments(Node& n) {
  LossArguments a;
  a.labels = n.cast(n.input(1), kInt64);
  a.weight = n.maybe_input(2);
  if (a.weight) n.role(a.weight, O2FX_ROLE_BUFFER);
  if (n.has("ignore_index")) a.ignore_index = n.int64("ignore_index");
  a.reduction = static_cast<int64_t>(choice(n, "reduction", {"none", "mean", "sum"}));  // ATen's
  return a;
}

Value likelihood_loss(Node& n, Value log_probability, const LossArguments& a) {
  return n.call("aten::nll_loss_nd",
                {log_probability, a.labels, a.weight, a.reduction, a.ignore_index});
}

void negative_log_likelihood_loss(Node& n) {
  n.output(likelihood_loss(n, n.input(0), read_arguments(n)));
}

void softmax_cross_entropy_loss(Node& n) {
  const Value scores = n.input(0);
  const LossArguments a = read_arguments(n);
  if (!n.wanted(1))
    return n.output(n.call("aten::cross_entropy_loss",
                           {scores, a.labels, a.weight, a.reduction, a.ignore_index, 0.0}));
  const Value log_probability = n.call("aten::log_softmax.int", {scores, 1});
  n.outputs({likelihood_loss(n, log_probability, a), log_probability});
}

constexpr o2fx_op kOps[] = {
    op("NegativeLogLikelihoodLoss", 12, lower<negative_log_likelihood_loss>),
    op("SoftmaxCrossEntropyLoss", 12, lower<softmax_cross_entropy_loss>),
};

}  // namespace

const Family kLoss = family(kOps);
