// Dropout. It drops in train() and is the identity in eval(): an inference export has training_mode
// false, and the first use of a converted model is fine-tuning. Only a training_mode that the model
// computes, or takes as an input, decides by itself.
#include <onnx2fx/plugin.hpp>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/draws.hpp"

using namespace onnx2fx;

namespace {

struct Mode {
  Arg ratio, active;
  std::optional<Seed> seed;
};

Mode mode_1(Node& n) {
  if (n.opset() < 6) n.ignore("consumed_inputs");
  if (n.opset() < 7) n.ignore("is_test");  // which of the two modes the exporter was in
  return {n.real("ratio", 0.5), Training{}, {}};
}

Mode mode_12(Node& n) {
  const Value ratio = n.maybe_input(1), training = n.maybe_input(2);
  Mode m{0.5, Training{}, integer_seed(n)};
  if (ratio) m.ratio = n.number(ratio);
  const auto fixed = training ? n.constant_bool(training) : std::nullopt;
  if (fixed == true) n.annotate("dropout", "training_mode is true: drops in train() only");
  if (training && !fixed) m.active = n.call("aten::_local_scalar_dense", {training});
  return m;
}

Value scaled(Node& n, Value kept, const Arg& ratio) {
  if (ratio.raw().tag == O2FX_T_FLOAT) {
    const double stays = 1 - ratio.raw().u.f;
    if (!(stays >= 0 && stays <= 1))
      throw Invalid("ratio: expected a value in [0, 1], got " + std::to_string(ratio.raw().u.f));
    return n.call("aten::mul.Scalar", {kept, stays == 0 ? 0 : 1 / stays});
  }
  Value stays = n.call("aten::scalar_tensor", {ratio}, placed_like(kept, kDouble));
  stays = n.call("aten::rsub.Scalar", {stays, 1});
  const Value factor = n.call("aten::reciprocal", {n.call("aten::clamp_min", {stays, 0x1p-53})});
  return n.call("aten::mul.Tensor", {kept, factor});
}

// Nothing is drawn where nothing is dropped: a branch. The result, and the mask of what stays.
Values seeded(Node& n, Value x, const Mode& m) {
  n.begin("drop");
  const Value u = uniform(n, *m.seed, n.dims(x), kDouble);
  const Value mask = n.call("aten::ge.Scalar", {u, m.ratio});
  const Value y = scaled(n, n.call("aten::mul.Tensor", {x, mask}), m.ratio);
  const Program drop = n.end(Values{y, mask});
  n.begin("keep");
  const Program keep = n.end(Values{x, n.call("aten::ones_like", {x}, {{"dtype", Dtype{kBool}}})});
  const Values operands = n.close({drop, keep});
  return n.calls(2, "onnx2fx::cond", {m.active, drop, keep, operands});
}

void drop(Node& n, const Mode& m, bool boolean_mask) {
  const Value x = n.input(0);
  if (!m.seed && !n.wanted(1)) return n.output(n.call("aten::dropout", {x, m.ratio, m.active}));
  const Values r =
      m.seed ? seeded(n, x, m) : n.calls(2, "aten::native_dropout", {x, m.ratio, m.active});
  n.output(r[0]);
  if (!n.wanted(1)) return;
  n.output(boolean_mask ? r[1] : n.call("aten::to.dtype", {r[1], Dtype{n.dtype(x)}}), 1);
}

void dropout_1(Node& n) { drop(n, mode_1(n), false); }
void dropout_10(Node& n) { drop(n, mode_1(n), true); }
void dropout_12(Node& n) { drop(n, mode_12(n), true); }

constexpr o2fx_op kOps[] = {
    op("Dropout", 1, lower<dropout_1>, 9),
    op("Dropout", 10, lower<dropout_10>, 11),
    op("Dropout", 12, lower<dropout_12>),
};

}  // namespace

const Family kDropout = family(kOps);
