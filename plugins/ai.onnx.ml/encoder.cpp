// Categories to numbers and back: LabelEncoder, CategoryMapper, OneHotEncoder.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "plugins/ai.onnx.ml/families.hpp"
#include "plugins/ai.onnx.ml/lookup.hpp"
#include "plugins/ai.onnx.ml/table.hpp"
#include "plugins/lowering/dtype.hpp"

using namespace onnx2fx;

namespace {

// ---- LabelEncoder

Keys keys_of_tensor(Node& n, Value v) {
  if (n.dtype(v) == kString) {
    auto texts = n.constant_strings(v);
    if (texts) return *texts;
  } else if (is_floating(n.dtype(v))) {
    if (auto reals = n.constant_reals(v)) return *reals;
  } else {
    return n.literals(v, "attribute 'keys_tensor'");
  }
  throw Unsupported("attribute 'keys_tensor' of data type " + std::to_string(n.dtype(v)));
}

Keys label_keys(Node& n) {
  if (n.has("keys_strings")) return n.texts("keys_strings");
  if (n.has("keys_int64s")) return n.int64s("keys_int64s");
  if (n.has("keys_floats")) return n.reals("keys_floats");
  if (const Value v = n.maybe_tensor("keys_tensor")) return keys_of_tensor(n, v);
  throw Invalid("expected one of the attributes keys_*, got none");
}

void check_count(size_t got, size_t expected) {
  if (got != expected)
    throw Invalid("expected as many values as keys (" + std::to_string(expected) + "), got " +
                  std::to_string(got));
}

// The values of the keys and, last, the default.
Value label_values(Node& n, Value places, Value values, size_t count) {
  const Value otherwise = n.maybe_tensor("default_tensor");
  const int32_t dtype = n.dtype(values);
  if (dtype == kString) {
    const auto texts = n.constant_strings(values);
    const auto last = otherwise ? n.constant_strings(otherwise)
                                : std::optional(std::vector{n.text("default_string", "_Unused")});
    if (!texts || !last || last->size() != 1)
      throw Invalid("attributes 'values_tensor', 'default_tensor': expected strings");
    check_count(texts->size(), count);
    std::vector<std::string> all = *texts;
    all.push_back(last->front());
    return texts_at(n, places, all);
  }
  if (!n.dim(values, 0).is(static_cast<int64_t>(count))) check_count(0, count);
  n.role(values, O2FX_ROLE_BUFFER);
  const std::vector<double> usual{is_floating(dtype) ? -0.0 : -1.0};
  Value last = otherwise ? n.call("aten::reshape", {n.role(otherwise, O2FX_ROLE_BUFFER), Ints{1}})
                         : table(n, "default", kDouble, usual);
  return n.call("aten::take", {n.call("aten::cat", {Values{values, n.cast(last, dtype)}}), places});
}

void label_encoder(Node& n) {
  const Value x = n.input(0);
  const Keys keys = label_keys(n);
  const size_t count = size_of(keys);
  const Value at = places(n, x, keys, n.opset() >= 4);
  for (const char* other : {"default_string", "default_int64", "default_float"}) n.ignore(other);
  if (n.has("values_strings")) {
    auto values = n.texts("values_strings");
    check_count(values.size(), count);
    values.push_back(n.text("default_string"));
    n.output(texts_at(n, at, values));
  } else if (n.has("values_int64s")) {
    auto values = n.int64s("values_int64s");
    check_count(values.size(), count);
    values.push_back(n.int64("default_int64"));
    n.output(numbers_at(n, at, values));
  } else if (n.has("values_floats")) {
    auto values = n.reals("values_floats");
    check_count(values.size(), count);
    values.push_back(n.real("default_float"));
    n.output(n.call("aten::take", {table(n, "values", kFloat, values), at}));
  } else if (const Value values = n.maybe_tensor("values_tensor")) {
    n.output(label_values(n, at, values, count));
  } else {
    throw Invalid("expected one of the attributes values_*, got none");
  }
}

std::vector<int64_t> counted(size_t count) {
  std::vector<int64_t> r(count);
  std::iota(r.begin(), r.end(), 0);
  return r;
}

// Revision 1: strings to their places in classes_strings, or places to strings.
void label_encoder_1(Node& n) {
  const Value x = n.input(0);
  auto classes = n.texts("classes_strings");
  std::vector<int64_t> numbers = counted(classes.size());
  const Keys keys = n.dtype(x) == kString ? Keys(classes) : Keys(numbers);
  const Value at = places(n, x, keys);
  numbers.push_back(n.int64("default_int64"));
  classes.push_back(n.text("default_string"));
  n.output(n.dtype(x) == kString ? numbers_at(n, at, numbers) : texts_at(n, at, classes));
}

void category_mapper(Node& n) {
  const Value x = n.input(0);
  auto texts = n.texts("cats_strings");
  auto numbers = n.int64s("cats_int64s");
  check_count(numbers.size(), texts.size());
  const bool text = n.dtype(x) == kString;
  const Value at = places(n, x, text ? Keys(texts) : Keys(numbers));
  texts.push_back(n.text("default_string"));
  numbers.push_back(n.int64("default_int64"));
  n.output(text ? numbers_at(n, at, numbers) : texts_at(n, at, texts));
}

// ---- OneHotEncoder

void one_hot_encoder(Node& n) {
  const Value x = n.input(0);
  const auto texts = n.texts("cats_strings");
  const auto numbers = n.int64s("cats_int64s");
  if (texts.empty() == numbers.empty())
    throw Invalid("expected either cats_strings or cats_int64s, got both or none");
  const Keys keys = texts.empty() ? Keys(numbers) : Keys(texts);
  const int64_t count = static_cast<int64_t>(size_of(keys));
  const Value at = places(n, x, keys);
  Value hot;
  if (n.flag("zeros")) {
    const Value all = table(n, "places", kInt64, counted(size_of(keys)));
    hot = n.call("aten::eq.Tensor", {n.call("aten::unsqueeze", {at, -1}), all});
  } else {
    hot = n.call("aten::one_hot", {at, count});  // a category that is none is an error there
  }
  n.output(to_dtype(n, hot, kFloat));
}

constexpr o2fx_op kOps[] = {
    op("CategoryMapper", 1, lower<category_mapper>, 0, kMl),
    op("LabelEncoder", 1, lower<label_encoder_1>, 1, kMl),
    op("LabelEncoder", 2, lower<label_encoder>, 0, kMl),
    op("OneHotEncoder", 1, lower<one_hot_encoder>, 0, kMl),
};

}  // namespace

const Family kEncoders = family(kOps);
