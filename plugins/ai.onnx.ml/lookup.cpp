#include "plugins/ai.onnx.ml/lookup.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "plugins/ai.onnx.ml/table.hpp"

namespace onnx2fx {
namespace {

// `found` where it is 0 or more, else `otherwise`.
Value or_else(Node& n, Value condition, Value found, int64_t otherwise) {
  return n.call("aten::where.ScalarOther", {condition, found, otherwise});
}

// The place of x in the ascending `keys`, whose own places are `order`.
Value search(Node& n, Value x, Value keys, const std::vector<int64_t>& order, int64_t none) {
  const int64_t last = static_cast<int64_t>(order.size()) - 1;
  const Value rank = n.call("aten::searchsorted.Tensor", {keys, x});
  const Value at = n.call("aten::clamp", {rank, nullptr, last});
  const Value same = n.call("aten::eq.Tensor", {n.call("aten::take", {keys, at}), x});
  const Value found = n.call("aten::take", {table(n, "places", kInt64, order), at});
  return or_else(n, same, found, none);
}

template <class T>
std::vector<int64_t> ascending(const std::vector<T>& keys) {
  std::vector<int64_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  const auto key = [&](int64_t i) { return keys[static_cast<size_t>(i)]; };
  std::erase_if(order, [&](int64_t i) { return key(i) != key(i); });
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return key(a) < key(b); });
  return order;
}

template <class T>
Value number_places(Node& n, Value x, const std::vector<T>& keys, int32_t dtype,
                    bool nan_equals = true) {
  const int64_t none = static_cast<int64_t>(keys.size());
  const std::vector<int64_t> order = ascending(keys);
  std::vector<T> sorted;
  sorted.reserve(order.size());
  for (const int64_t i : order) sorted.push_back(keys[static_cast<size_t>(i)]);
  const Value v = n.cast(x, dtype);
  Value found = sorted.empty() ? n.call("aten::full_like", {v, none}, {{"dtype", Dtype{kInt64}}})
                               : search(n, v, table(n, "keys", dtype, sorted), order, none);
  const auto nan = std::find_if(keys.begin(), keys.end(), [](T k) { return k != k; });
  if (nan == keys.end() || !nan_equals) return found;
  return n.call("aten::masked_fill.Scalar",
                {found, n.call("aten::isnan", {v}), static_cast<int64_t>(nan - keys.begin())});
}

Value text_places(Node& n, Value x, const std::vector<std::string>& keys) {
  const Value found = n.call("onnx2fx::strings_lookup", {x, keys});
  return or_else(n, n.call("aten::ge.Scalar", {found, 0}), found,
                 static_cast<int64_t>(keys.size()));
}

}  // namespace

size_t size_of(const Keys& keys) {
  return std::visit([](const auto& k) { return k.size(); }, keys);
}

Value places(Node& n, Value x, const Keys& keys, bool nan_equals) {
  const bool text = n.dtype(x) == kString;
  if (text != std::holds_alternative<std::vector<std::string>>(keys))
    throw Invalid(text ? "expected keys that are strings, as X is"
                       : "expected keys that are numbers, as X is");
  if (text) return text_places(n, x, std::get<std::vector<std::string>>(keys));
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&keys)) {
    if (!is_floating(n.dtype(x))) return number_places(n, x, *integers, kInt64);
    return number_places(n, x, std::vector<double>(integers->begin(), integers->end()), kDouble);
  }
  return number_places(n, x, std::get<std::vector<double>>(keys), kDouble, nan_equals);
}

Value texts_at(Node& n, Value places, const std::vector<std::string>& texts) {
  const Value pool = n.call("onnx2fx::strings", {texts, Ints{static_cast<int64_t>(texts.size())}});
  return n.call("onnx2fx::strings_take", {Values{pool}, places});
}

Value numbers_at(Node& n, Value places, const std::vector<int64_t>& numbers) {
  return n.call("aten::take", {table(n, "values", kInt64, numbers), places});
}

}  // namespace onnx2fx
