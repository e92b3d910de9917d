#include "core/shapes/elements.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "core/read/model_file.hpp"
#include "core/shapes/real.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::conversion {

using onnx::TensorProto;

std::optional<std::vector<int64_t>> Elements::literals() const {
  std::vector<int64_t> r;
  for (size_t i = 0; i < size(); i++) {
    const auto x = literal(i);
    if (!x) return {};
    r.push_back(*x);
  }
  return r;
}

// ---- places

std::optional<int64_t> count_of(const Extents& extents) {
  int64_t n = 1;
  bool none = false;
  for (const int64_t d : extents) {
    if (d < 0) return {};
    none |= d == 0;
    if (d == 0 || none) continue;
    if (d > kMaxElements || (n *= d) > kMaxElements) return {};
  }
  return none ? 0 : n;
}

Extents strides_of(const Extents& extents) {
  Extents r(extents.size());
  int64_t stride = 1;
  for (size_t i = extents.size(); i-- > 0;) {
    r[i] = stride;
    stride *= std::max<int64_t>(extents[i], 1);
  }
  return r;
}

Extents strides_in(const Extents& extents, const Extents& to) {
  const Extents own = strides_of(extents);
  Extents r(to.size());
  for (size_t i = 0; i < extents.size(); i++)
    r[to.size() - extents.size() + i] = extents[i] == 1 ? 0 : own[i];
  return r;
}

std::optional<Extents> broadcast(const std::vector<Extents>& all) {
  size_t rank = 0;
  for (const Extents& e : all) rank = std::max(rank, e.size());
  Extents r(rank, 1);
  for (const Extents& e : all)
    for (size_t i = 0; i < e.size(); i++) {
      int64_t& to = r[rank - e.size() + i];
      if (to != 1 && e[i] != 1 && to != e[i]) return {};
      if (to == 1) to = e[i];
    }
  return count_of(r) ? std::optional(r) : std::nullopt;
}

std::vector<size_t> places(const Extents& extents, const Extents& strides, int64_t first) {
  std::vector<size_t> r;
  const auto n = count_of(extents);
  if (!n) return r;
  Extents place(extents.size());
  int64_t at = first;
  for (int64_t k = 0; k < *n; k++) {
    r.push_back(static_cast<size_t>(at));
    for (size_t i = extents.size(); i-- > 0;) {
      at += strides[i];
      if (++place[i] < extents[i]) break;
      at -= strides[i] * extents[i];
      place[i] = 0;
    }
  }
  return r;
}

std::vector<MaybeSym> taken(const Elements& from, const std::vector<size_t>& places) {
  std::vector<MaybeSym> r;
  r.reserve(places.size());
  for (const size_t i : places) r.push_back(from.at(i));
  return r;
}

std::optional<size_t> axis_in(int64_t axis, size_t rank) {
  const auto n = static_cast<int64_t>(rank);
  if (axis < -n || axis >= n) return {};
  return static_cast<size_t>(axis < 0 ? axis + n : axis);
}

// ---- constants

bool is_small_integer(const TensorProto& tensor) {
  constexpr uint64_t kMaxBytes = 1024;  // as many as the reader copies out of the model
  const int32_t dtype = tensor.data_type();
  if (dtype != TensorProto::INT64 && dtype != TensorProto::INT32 && dtype != TensorProto::BOOL)
    return false;
  return weights::packed_size(dtype, weights::element_count(tensor.dims())) <= kMaxBytes;
}

namespace {

template <class T, class F>
std::vector<MaybeSym> unpacked(std::string_view raw, F element) {
  std::vector<MaybeSym> r;
  for (size_t at = 0; at + sizeof(T) <= raw.size(); at += sizeof(T)) {
    T x;
    std::memcpy(&x, raw.data() + at, sizeof x);
    r.push_back(element(x));
  }
  return r;
}

std::vector<MaybeSym> unpacked_ints(int32_t dtype, std::string_view raw) {
  const auto number = [](auto x) { return MaybeSym(Sym(static_cast<int64_t>(x))); };
  if (dtype == TensorProto::INT64) return unpacked<int64_t>(raw, number);
  if (dtype == TensorProto::INT32) return unpacked<int32_t>(raw, number);
  return unpacked<uint8_t>(raw, [](uint8_t x) { return MaybeSym(Sym(x != 0)); });
}

std::vector<MaybeSym> listed_ints(const TensorProto& tensor) {
  std::vector<MaybeSym> r;
  const bool truths = tensor.data_type() == TensorProto::BOOL;
  for (const int64_t x : tensor.int64_data()) r.emplace_back(Sym(x));
  for (const int32_t x : tensor.int32_data()) r.emplace_back(Sym(truths ? x != 0 : x));
  return r;
}

}  // namespace

std::optional<std::vector<MaybeSym>> constant_ints(const TensorProto& tensor,
                                                   std::optional<std::span<const uint8_t>> bytes) {
  if (!bytes && read::weight_index(tensor) >= 0) return {};
  const int32_t dtype = tensor.data_type();
  const auto n = count_of({tensor.dims().begin(), tensor.dims().end()});
  const bool wide = dtype == TensorProto::INT64;
  if (!n || (!wide && dtype != TensorProto::INT32 && dtype != TensorProto::BOOL)) return {};
  if (!bytes && !tensor.has_raw_data()) {
    const bool listed = (wide ? tensor.int64_data_size() : tensor.int32_data_size()) == *n &&
                        (wide ? tensor.int32_data_size() : tensor.int64_data_size()) == 0;
    return listed ? std::optional(listed_ints(tensor)) : std::nullopt;
  }
  const std::string& own = tensor.raw_data();
  const std::string_view raw =
      bytes ? std::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : own;
  if (raw.size() != weights::packed_size(dtype, static_cast<uint64_t>(*n))) return {};
  return unpacked_ints(dtype, raw);
}

std::vector<MaybeSym> constant_reals(SymTable& syms, int32_t dtype, std::span<const uint8_t> raw) {
  const std::string_view bytes(reinterpret_cast<const char*>(raw.data()), raw.size());
  const auto real = [&](auto x) { return real_literal(syms, static_cast<double>(x)); };
  return dtype == TensorProto::FLOAT ? unpacked<float>(bytes, real) : unpacked<double>(bytes, real);
}

}  // namespace onnx2fx::conversion
