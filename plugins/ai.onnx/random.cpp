// Random tensors.
#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/draws.hpp"
#include "plugins/lowering/dtype.hpp"
#include "plugins/lowering/functions.hpp"

using namespace onnx2fx;

namespace {

/// Names of one distribution's calls, and what makes ONNX's of the standard one.
struct Distribution {
  const char *of_size, *like;
  Value (*seeded)(Node&, const Seed&, const Ints&, int32_t);
  Value (*shaped)(Node&, Value);
};
constexpr Distribution kNormal{"aten::randn", "aten::randn_like", normal, [](Node& n, Value y) {
                                 return affine(n, y, n.real("scale"), n.real("mean"));
                               }};
constexpr Distribution kUniform{"aten::rand", "aten::rand_like", uniform, [](Node& n, Value y) {
                                  const double low = n.real("low");
                                  return affine(n, y, n.real("high") - low, low);
                                }};

void check_floating(int32_t dtype) {
  if (!is_floating(dtype)) throw Invalid("attribute 'dtype': expected a floating type");
}

template <const Distribution& D>
void random(Node& n) {
  const std::vector<int64_t> size = n.integers("shape");
  const auto dtype = static_cast<int32_t>(n.integer("dtype"));
  check_floating(dtype);
  const auto seed = real_seed(n);
  n.output(D.shaped(n, seed ? D.seeded(n, *seed, Ints(size.begin(), size.end()), dtype)
                            : n.call(D.of_size, {size}, {{"dtype", Dtype{dtype}}})));
}

template <const Distribution& D>
void random_like(Node& n) {
  const Value x = n.input(0);
  const auto dtype = static_cast<int32_t>(n.has("dtype") ? n.integer("dtype") : n.dtype(x));
  check_floating(dtype);
  const auto seed = real_seed(n);
  n.output(D.shaped(n, seed ? D.seeded(n, *seed, n.dims(x), dtype)
                            : n.call(D.like, {x}, {{"dtype", Dtype{dtype}}})));
}

void bernoulli(Node& n) {
  const Value x = n.input(0);
  const auto dtype = static_cast<int32_t>(n.has("dtype") ? n.integer("dtype") : n.dtype(x));
  if (const auto seed = real_seed(n)) {
    const Value u = uniform(n, *seed, n.dims(x), kDouble);
    const Value y = n.call("aten::lt.Tensor", {u, x});
    return n.output(dtype == n.dtype(x) ? n.call("aten::to.other", {y, x}) : to_dtype(n, y, dtype));
  }
  const Value y = n.call("aten::bernoulli", {x});
  n.output(dtype == dtype_if_known(n, x) ? y : to_dtype(n, y, dtype));
}

// By the inverse of the distribution function, whose last value divided by itself is 1, which no
// draw reaches: a class of probability 0 is never drawn.
Value seeded_multinomial(Node& n, Value odds, const Seed& seed) {
  const Value sums = n.call("aten::cumsum", {odds, -1}, {{"dtype", Dtype{kDouble}}});
  const Value shares =
      n.call("aten::div.Tensor", {sums, n.call("aten::slice.Tensor", {sums, -1, -1})});
  const Ints size{n.dim(odds, 0), n.integer("sample_size")};
  const Value u = uniform(n, seed, size, kDouble);
  return n.call("aten::searchsorted.Tensor", {shares, u}, {{"right", true}});
}

// The input holds unnormalized logarithms of the probabilities.
void multinomial(Node& n) {
  const Value x = n.input(0);
  const Value odds =
      n.call("aten::softmax.int", {x, -1, Dtype{n.dtype(x) == kDouble ? kDouble : kFloat}});
  const auto seed = real_seed(n);
  const Value y = seed ? seeded_multinomial(n, odds, *seed)
                       : n.call("aten::multinomial", {odds, n.integer("sample_size"), true});
  const auto dtype = static_cast<int32_t>(n.integer("dtype"));
  n.output(dtype == kInt64 ? y : to_dtype(n, y, dtype));
}

constexpr o2fx_op kOps[] = {
    op("Bernoulli", 15, lower<bernoulli>),
    op("Multinomial", 7, lower<multinomial>),
    op("RandomNormal", 1, lower<random<kNormal>>),
    op("RandomNormalLike", 1, lower<random_like<kNormal>>),
    op("RandomUniform", 1, lower<random<kUniform>>),
    op("RandomUniformLike", 1, lower<random_like<kUniform>>),
};

}  // namespace

const Family kRandom = family(kOps);
