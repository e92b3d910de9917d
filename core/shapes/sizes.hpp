// Arithmetic on extents of which some are unknown: nullopt in, nullopt out.
#ifndef ONNX2FX_CORE_SHAPES_SIZES_HPP_
#define ONNX2FX_CORE_SHAPES_SIZES_HPP_

#include <optional>
#include <span>
#include <vector>

#include "core/shapes/sym.hpp"

namespace onnx2fx::conversion {

using Dims = std::vector<MaybeSym>;

class Sizes {
 public:
  explicit Sizes(SymTable& table) : table_(table) {}

  MaybeSym add(const MaybeSym& a, const MaybeSym& b) const;
  MaybeSym sub(const MaybeSym& a, const MaybeSym& b) const;
  MaybeSym mul(const MaybeSym& a, const MaybeSym& b) const;
  MaybeSym floordiv(const MaybeSym& a, const MaybeSym& b) const;
  MaybeSym ceildiv(const MaybeSym& a, const MaybeSym& b) const;
  MaybeSym max(const MaybeSym& a, const MaybeSym& b) const;
  MaybeSym min(const MaybeSym& a, const MaybeSym& b) const;
  MaybeSym product(std::span<const MaybeSym> all) const;
  bool never_negative(const MaybeSym& a) const { return a && table_.never_negative(*a); }

  MaybeSym broadcast(const MaybeSym& a, const MaybeSym& b) const;
  /// As numpy broadcasts: aligned at the last axis.
  Dims broadcast(const Dims& a, const Dims& b) const;

  /// Length of x[start:end:step] along an axis of this extent, as Python counts.
  MaybeSym sliced(const MaybeSym& extent, const MaybeSym& start, const MaybeSym& end,
                  const MaybeSym& step) const;

 private:
  struct Place;
  std::optional<Place> place(const Sym& extent, const Sym& at) const;
  MaybeSym length(const Sym& extent, const Place& begin, const Place& end) const;
  MaybeSym of(const Sym& extent, const Place& place) const;
  SymTable& table_;
};

}  // namespace onnx2fx::conversion

#endif
