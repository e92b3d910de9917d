#include "plugins/lowering/literals.hpp"

#include <cstring>

namespace onnx2fx {
namespace {

template <class T>
std::vector<int64_t> elements(const o2fx_bytes& b) {
  std::vector<T> all(b.size / sizeof(T));
  if (!all.empty()) std::memcpy(all.data(), b.data, all.size() * sizeof(T));
  return {all.begin(), all.end()};
}

}  // namespace

std::optional<Arg> literal(Node& n, Value v) {
  if (const auto reals = n.constant_reals(v); reals && reals->size() == 1) return Arg((*reals)[0]);
  if (const auto ints = n.maybe_literals(v); ints && ints->size() == 1) return Arg((*ints)[0]);
  return std::nullopt;
}

std::optional<std::vector<int64_t>> constant_integers(Node& n, Value v) {
  if (auto all = n.maybe_literals(v)) return all;
  const auto b = n.constant_data(v);
  if (!b || (b->dtype != kInt64 && b->dtype != kInt32)) return std::nullopt;
  return b->dtype == kInt64 ? elements<int64_t>(*b) : elements<int32_t>(*b);
}

}  // namespace onnx2fx
