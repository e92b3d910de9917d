// Random tensors. A seed attribute cannot be said in the program: ATen's calls draw from torch's
// global generator, which torch.manual_seed seeds for all of them. ONNX leaves the numbers to the
// runtime.
#include "plugins/ai.onnx/dtype.hpp"
#include "plugins/ai.onnx/families.hpp"

using namespace onnx2fx;

namespace {

void leave_seed(Node& n) {
  if (n.has("seed"))
    n.annotate("seed", "not kept: the numbers come from torch's generator (torch.manual_seed)");
}

Value drawn(Node& n, const char* target, const Arg& from, int32_t dtype) {
  return n.call(target, {from}, {{"dtype", Dtype{dtype}}});
}

// y * scale + offset, without what changes nothing.
Value affine(Node& n, Value y, double scale, double offset) {
  if (scale != 1) y = n.call("aten::mul.Scalar", {y, scale});
  return offset != 0 ? n.call("aten::add.Scalar", {y, offset}) : y;
}
Value normal(Node& n, Value y) { return affine(n, y, n.real("scale"), n.real("mean")); }
Value uniform(Node& n, Value y) {
  const double low = n.real("low");
  return affine(n, y, n.real("high") - low, low);
}

template <Value (*Shaped)(Node&, Value)>
void random(Node& n, const char* target) {
  leave_seed(n);
  const std::vector<int64_t> shape = n.integers("shape");
  n.output(Shaped(n, drawn(n, target, shape, static_cast<int32_t>(n.integer("dtype")))));
}

template <Value (*Shaped)(Node&, Value)>
void random_like(Node& n, const char* target) {
  leave_seed(n);
  const Value x = n.input(0);
  const auto dtype = static_cast<int32_t>(n.has("dtype") ? n.integer("dtype") : n.dtype(x));
  if (!is_floating(dtype)) throw Invalid("attribute 'dtype': expected a floating type");
  n.output(Shaped(n, drawn(n, target, x, dtype)));
}

void bernoulli(Node& n) {
  leave_seed(n);
  const Value x = n.input(0), y = n.call("aten::bernoulli", {x});
  const auto dtype = static_cast<int32_t>(n.has("dtype") ? n.integer("dtype") : n.dtype(x));
  n.output(dtype == dtype_if_known(n, x) ? y : to_dtype(n, y, dtype));
}

// The input holds unnormalized logarithms of the probabilities.
void multinomial(Node& n) {
  leave_seed(n);
  const Value x = n.input(0);
  const Value odds =
      n.call("aten::softmax.int", {x, -1, Dtype{n.dtype(x) == kDouble ? kDouble : kFloat}});
  const Value y = n.call("aten::multinomial", {odds, n.integer("sample_size"), true});
  const auto dtype = static_cast<int32_t>(n.integer("dtype"));
  n.output(dtype == kInt64 ? y : to_dtype(n, y, dtype));
}

constexpr o2fx_op kOps[] = {
    op("Bernoulli", 15, lower<bernoulli>),
    op("Multinomial", 7, lower<multinomial>),
    op_to("RandomNormal", 1, lower_to<random<normal>>, "aten::randn"),
    op_to("RandomNormalLike", 1, lower_to<random_like<normal>>, "aten::randn_like"),
    op_to("RandomUniform", 1, lower_to<random<uniform>>, "aten::rand"),
    op_to("RandomUniformLike", 1, lower_to<random_like<uniform>>, "aten::rand_like"),
};

}  // namespace

const Family kRandom = family(kOps);
