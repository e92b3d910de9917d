// The elements of small tensors, as far as they are known, and the places from which movements take
// them.
#ifndef ONNX2FX_CORE_SHAPES_ELEMENTS_HPP_
#define ONNX2FX_CORE_SHAPES_ELEMENTS_HPP_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/shapes/sym.hpp"

namespace onnx2fx::conversion {

constexpr int64_t kMaxElements = 4096;
/// Of float tensors, and of those whose elements are made, not taken.
constexpr int64_t kMaxMade = 64;

using Extents = std::vector<int64_t>;

/// The elements of an operand. They are read here only: what is not known, or not there, is
/// nullopt.
class Elements {
 public:
  Elements(Extents extents, std::span<const MaybeSym> all)
      : extents_(std::move(extents)), all_(all) {}
  const Extents& extents() const { return extents_; }
  size_t rank() const { return extents_.size(); }
  size_t size() const { return all_.size(); }
  MaybeSym at(size_t i) const { return i < all_.size() ? all_[i] : MaybeSym(); }
  std::optional<int64_t> literal(size_t i) const {
    const MaybeSym s = at(i);
    return s && s->is_literal() ? std::optional(s->literal()) : std::nullopt;
  }
  std::optional<std::vector<int64_t>> literals() const;

 private:
  Extents extents_;
  std::span<const MaybeSym> all_;
};

/// The elements of a result.
struct Tracked {
  Extents extents;
  std::vector<MaybeSym> elements;
};

/// Number of elements; nullopt: negative, or more than are tracked.
std::optional<int64_t> count_of(const Extents& extents);
/// Distances in memory, in C order.
Extents strides_of(const Extents& extents);
/// Of an operand that is broadcast to `to`: 0 along the axes that it is repeated on.
Extents strides_in(const Extents& extents, const Extents& to);
/// numpy's; nullopt: they do not fit, or are too many.
std::optional<Extents> broadcast(const std::vector<Extents>& all);
/// first + sum of place * stride, for all places of `extents` in C order.
std::vector<size_t> places(const Extents& extents, const Extents& strides, int64_t first = 0);
std::vector<MaybeSym> taken(const Elements& from, const std::vector<size_t>& places);
/// An axis counted from the front; nullopt: there is none.
std::optional<size_t> axis_in(int64_t axis, size_t rank);

/// Whether shape tracking reads such a tensor whenever it sees one: int32, int64 or bool of at most
/// 1 KiB.
bool is_small_integer(const onnx::TensorProto& tensor);
/// The elements of a small constant integer tensor; `raw`: its bytes, if they are not in the proto.
std::optional<std::vector<MaybeSym>> constant_ints(
    const onnx::TensorProto& tensor, std::optional<std::span<const uint8_t>> raw = {});
/// Those of a small float tensor, by its bytes; numbers that are none are nullopt.
std::vector<MaybeSym> constant_reals(SymTable& syms, int32_t dtype, std::span<const uint8_t> raw);

}  // namespace onnx2fx::conversion

#endif
