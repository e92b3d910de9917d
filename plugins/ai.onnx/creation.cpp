// Ops that make a tensor from attributes and sizes.
#include <algorithm>
#include <cmath>
#include <onnx2fx/plugin.hpp>

#include "plugins/ai.onnx/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/movement.hpp"
#include "plugins/lowering/sizes.hpp"

using namespace onnx2fx;

static void constant(Node& n) {
  for (const char* form : {"value", "sparse_value"})
    if (const Value v = n.maybe_tensor(form)) return n.output(v);
  if (n.has("value_int")) return n.output(n.int_tensor(n.int64("value_int")));
  if (n.has("value_ints")) return n.output(n.int_tensor(n.int64s("value_ints")));
  if (n.has("value_float")) {
    const std::vector<float> one{static_cast<float>(n.real("value_float"))};
    return n.output(n.constant("value", kFloat, one, {}));
  }
  if (n.has("value_floats")) {
    const std::vector<double> reals = n.reals("value_floats");
    const std::vector<float> all(reals.begin(), reals.end());
    return n.output(n.constant("values", kFloat, all, {static_cast<int64_t>(all.size())},
                               O2FX_ROLE_DEFAULT));  // a weight, as one of the form 'value' is
  }
  const bool scalar = n.has("value_string");
  if (!scalar && !n.has("value_strings"))
    throw Invalid("expected one attribute 'value...', got none");
  const std::vector<std::string> texts =
      scalar ? std::vector{n.text("value_string")} : n.texts("value_strings");
  const Ints dims = scalar ? Ints{} : Ints{static_cast<int64_t>(texts.size())};
  n.output(n.call("onnx2fx::strings", {texts, dims}));
}

static Value repeated(Node& n, Value one, Value shape) {
  if (const auto sizes = n.maybe_ints(shape))
    return sizes->empty() ? n.call("aten::reshape", {one, Ints{}})
                          : n.call("aten::repeat", {one, *sizes});
  const Value count = n.call("aten::prod", {shape});
  const Value flat = n.call("aten::repeat", {one, Ints{n.integer_of(count)}});
  return n.call("aten::_reshape_from_tensor", {flat, shape});  // of a rank known only at run time
}

// The one element repeated: a copy of a constant of the module follows its device and type.
static void constant_of_shape(Node& n) {
  const Value shape = n.input(0);
  Value one = n.maybe_tensor("value");
  if (!one) one = n.constant<float>("zero", kFloat, {0}, {1});
  n.role(one, O2FX_ROLE_CONSTANT);
  n.outputs(moved(n, {one}, Elements::kPlain,
                  [&](const Values& x) { return Values{repeated(n, x[0], shape)}; }));
}

// On the device of an input: of one that is a tensor in the module, before a size that has to be
// made one for this purpose.
static Kwargs placed(Node& n, const Values& inputs, int32_t dtype) {
  const auto exists = [&](Value v) {
    return n.info(v).raw.is_const || !n.maybe_ints(v, O2FX_INTS_KNOWN_ONLY);
  };
  const auto beside = std::find_if(inputs.begin(), inputs.end(), exists);
  return placed_like(beside == inputs.end() ? inputs.front() : *beside, dtype);
}

// How many of start, start + delta... come before limit.
static Int count_of(Node& n, const Ints& range) {
  if (range[2].is(0)) throw Invalid("delta: expected a value other than 0");
  return n.max(sizes::ceildiv(n, n.sub(range[1], range[0]), range[2]), 0);
}

static Value integer_range(Node& n, const Values& in, int32_t dtype) {
  const Ints range{sizes::integer(n, in[0]), sizes::integer(n, in[1]), sizes::integer(n, in[2])};
  const Int count = count_of(n, range);
  if (range[0].is(0) && range[2].is(1))
    return n.call("aten::arange", {count}, placed(n, in, dtype));
  const Int end = n.add(range[0], n.mul(count, range[2]));
  return n.call("aten::arange.start_step", {range[0], end, range[2]}, placed(n, in, dtype));
}

// Numbers of a float range that are known to be whole: sizes, above all.
static std::optional<Ints> whole_range(Node& n, const Values& in) {
  Ints r;
  for (const Value v : in) {
    const auto real = n.constant_reals(v);
    const auto whole = n.maybe_ints(v, O2FX_INTS_KNOWN_ONLY);
    if (real && real->size() == 1 && std::trunc(real->front()) == real->front() &&
        std::abs(real->front()) < 0x1p53)
      r.push_back(static_cast<int64_t>(real->front()));
    else if (whole && whole->size() == 1)
      r.push_back(whole->front());
    else
      return std::nullopt;
  }
  return r;
}

// The number of elements in the precision of the tensors.
static Int real_count(Node& n, const Values& in, int32_t dtype) {
  const auto start = n.constant_reals(in[0]), limit = n.constant_reals(in[1]),
             delta = n.constant_reals(in[2]);
  if (start && limit && delta) {
    const double wide = (limit->at(0) - start->at(0)) / delta->at(0);
    const float narrow = (static_cast<float>(limit->at(0)) - static_cast<float>(start->at(0))) /
                         static_cast<float>(delta->at(0));
    return static_cast<int64_t>(std::max(0.0, std::ceil(dtype == kDouble ? wide : narrow)));
  }
  if (const auto whole = whole_range(n, in)) return count_of(n, *whole);
  const Value span = n.call("aten::sub.Tensor", {in[1], in[0]});
  const Value steps = n.call("aten::ceil", {n.call("aten::div.Tensor", {span, in[2]})});
  const Value count =
      n.call("aten::to.dtype", {n.call("aten::clamp_min", {steps, 0}), Dtype{kInt64}});
  return sizes::number(n.call("aten::_local_scalar_dense", {count}));
}

namespace {
struct Overloads {
  const char *tensor, *scalar;
};
}  // namespace
// y combined with one number, which is a literal where it is known, and nothing where it is
// `neutral`.
static Value by(Node& n, const Overloads& target, Value y, Value number, double neutral) {
  const auto known = n.constant_reals(number);
  if (!known || known->size() != 1) return n.call(target.tensor, {y, number});
  return known->front() == neutral ? y : n.call(target.scalar, {y, known->front()});
}

static void range(Node& n) {
  Values in{n.input(0), n.input(1), n.input(2)};
  const int32_t dtype = n.dtype(in[0]);
  if (is_integer(dtype)) {
    n.ignore("stash_type");
    return n.output(integer_range(n, in, dtype));
  }
  const bool narrow = dtype == kFloat16 || dtype == kBfloat16;
  const int32_t wide = narrow && n.integer("stash_type", kFloat) == kFloat ? kFloat : dtype;
  n.ignore("stash_type");
  for (Value& v : in) v = n.cast(v, wide);
  Value y = arange(n, real_count(n, in, wide), in[0], wide);
  y = by(n, {"aten::mul.Tensor", "aten::mul.Scalar"}, y, in[2], 1);
  y = by(n, {"aten::add.Tensor", "aten::add.Scalar"}, y, in[0], 0);
  if (wide != dtype) y = n.call("aten::to.dtype", {y, Dtype{dtype}});
  n.output(y);
}

static void eye_like(Node& n) {
  const Value x = n.input(0);
  const int64_t offset = n.integer("k", 0);
  const int32_t dtype = static_cast<int32_t>(n.has("dtype") ? n.integer("dtype") : n.dtype(x));
  if (offset == 0) {
    const Value eye = n.call("aten::eye.m", {n.dim(x, 0), n.dim(x, 1)}, placed_like(x, kBool));
    return n.output(n.call("aten::to.dtype", {eye, Dtype{dtype}}));
  }
  const Value rows = n.call("aten::unsqueeze", {arange(n, n.dim(x, 0), x), 1});
  const Value columns = arange(n, n.dim(x, 1), x);
  const Value diagonal =
      n.call("aten::eq.Tensor", {n.call("aten::add.Scalar", {rows, offset}), columns});
  n.output(n.call("aten::to.dtype", {diagonal, Dtype{dtype}}));
}

static constexpr o2fx_op kOps[] = {
    op("Constant", 1, lower<constant>),
    op("ConstantOfShape", 9, lower<constant_of_shape>),
    op("EyeLike", 9, lower<eye_like>),
    op("Range", 11, lower<range>),
};
const Family kCreation = family(kOps);
