// Types of values at the edges of sub-programs: what a formal may be assumed to be, and what two
// ways that lead to one value have in common.
#ifndef ONNX2FX_PLUGINS_LOWERING_TYPES_HPP_
#define ONNX2FX_PLUGINS_LOWERING_TYPES_HPP_

#include <algorithm>
#include <memory>
#include <onnx2fx/plugin.hpp>

namespace onnx2fx {

/// An Info that owns its dims.
class Type {
 public:
  explicit Type(const Info& i) : info_(i) {
    for (int32_t d = 0; i.raw.dims && d < i.raw.rank; d++) {
      dims_.push_back(i.raw.dims[d]);
      names_.push_back(i.raw.dim_params ? i.raw.dim_params[d] : o2fx_str{});
    }
  }
  /// The Info; it lives as long as this object, and no longer than the lowering.
  Info info() const {
    Info i = info_;
    const bool known = i.raw.rank >= 0 && dims_.size() == static_cast<size_t>(i.raw.rank);
    i.raw.dims = known ? dims_.data() : nullptr;
    i.raw.dim_params = known ? names_.data() : nullptr;
    return i;
  }
  const o2fx_value_info& raw() const { return info_.raw; }

  /// A slice along one axis.
  Type without_axis(int64_t axis) const {
    Type r = *this;
    if (r.info_.raw.rank < 0) return r;
    axis = Node::axis(axis, r.info_.raw.rank--);
    if (!dims_.empty()) {
      r.dims_.erase(r.dims_.begin() + axis);
      r.names_.erase(r.names_.begin() + axis);
    }
    return r;
  }
  /// Slices stacked along an axis of the result; extent -1: unknown.
  Type with_axis(int64_t axis, int64_t extent) const {
    Type r = *this;
    if (r.info_.raw.rank < 0) return r;
    axis = Node::axis(axis, ++r.info_.raw.rank);
    if (dims_.size() + 1 == static_cast<size_t>(r.info_.raw.rank)) {
      r.dims_.insert(r.dims_.begin() + axis, extent);
      r.names_.insert(r.names_.begin() + axis, o2fx_str{});
    }
    return r;
  }
  /// What stays true of a value that may grow, or of a sequence that may get other elements: kind
  /// and element type.
  Type loosened() const {
    Type r = *this;
    r.info_.raw.rank = -1;
    r.dims_.clear();
    r.names_.clear();
    if (!info_.raw.elem) return r;
    r.element_ = std::make_shared<o2fx_value_info>(*info_.raw.elem);
    r.element_->rank = -1;
    r.element_->dims = nullptr;
    r.element_->dim_params = nullptr;
    r.info_.raw.elem = r.element_.get();
    return r;
  }
  /// Without extents that only a sub-program knows by name.
  Type outside() const {
    Type r = *this;
    std::fill(r.names_.begin(), r.names_.end(), o2fx_str{});
    return r;
  }

 private:
  Info info_;
  std::vector<int64_t> dims_;
  std::vector<o2fx_str> names_;
  std::shared_ptr<o2fx_value_info> element_;
  friend Type common(const Type& a, const Type& b);
};

/// What higher-order operators take as operands: tensors and numbers. Others need a leaf.
inline bool are_operands(const Node& n, const Values& vs) {
  return std::all_of(vs.begin(), vs.end(), [&](Value v) {
    const o2fx_value_info i = n.info(v).raw;
    if (i.kind == O2FX_KIND_TENSOR) return i.dtype != kString;
    return i.kind == O2FX_KIND_INT || i.kind == O2FX_KIND_FLOAT || i.kind == O2FX_KIND_BOOL;
  });
}

/// torch.export (2.13) takes two operands that are one tensor for one formal: those of `operands`
/// that come twice, or among `others`, become copies.
inline Values distinct(Node& n, Values operands, const Values& others) {
  Values seen = others;
  for (Value& v : operands) {
    if (std::find(seen.begin(), seen.end(), v) == seen.end()) {
      seen.push_back(v);
    } else if (n.info(v).is_tensor()) {
      v = n.call("aten::clone", {v});
    }
  }
  return operands;
}

/// Both are tensors of one dtype, rank, and extents proved equal.
inline bool same_tensors(const Info& a, const Info& b) {
  const o2fx_value_info &x = a.raw, &y = b.raw;
  if (!a.is_tensor() || !b.is_tensor() || x.dtype != y.dtype || x.rank < 0 || x.rank != y.rank)
    return false;
  for (int32_t i = 0; i < x.rank; i++) {
    if (!x.dims || !y.dims || x.dims[i] != y.dims[i]) return false;
    if (x.dims[i] >= 0) continue;
    if (!x.dim_params || !y.dim_params || !x.dim_params[i].len ||
        view(x.dim_params[i]) != view(y.dim_params[i]))
      return false;
  }
  return true;
}

/// Tensors that a higher-order operator may return by either of two ways: one dtype and rank, and
/// no axis of two extents known to differ (torch cannot differentiate that).
inline bool compatible_tensors(const Info& a, const Info& b) {
  const o2fx_value_info &x = a.raw, &y = b.raw;
  if (!a.is_tensor() || !b.is_tensor() || x.dtype != y.dtype || x.rank < 0 || x.rank != y.rank)
    return false;
  for (int32_t i = 0; x.dims && y.dims && i < x.rank; i++)
    if (x.dims[i] >= 0 && y.dims[i] >= 0 && x.dims[i] != y.dims[i]) return false;
  return x.dtype != kString;
}

/// What is true of both; extents only where both are one literal.
inline Type common(const Type& a, const Type& b) {
  Type r = a.outside();
  if (a.raw().kind != b.raw().kind) return Type(Info{});
  if (a.raw().dtype != b.raw().dtype) r.info_.raw.dtype = kUndefined;
  if (a.raw().rank != b.raw().rank) {
    r.info_.raw.rank = -1;
    r.dims_.clear();
    r.names_.clear();
  }
  if (!a.raw().elem || !b.raw().elem || a.raw().elem->dtype != b.raw().elem->dtype ||
      a.raw().elem->kind != b.raw().elem->kind || a.raw().elem->rank != b.raw().elem->rank)
    r.info_.raw.elem = nullptr;
  for (size_t i = 0; i < r.dims_.size(); i++)
    if (i >= b.dims_.size() || r.dims_[i] != b.dims_[i]) r.dims_[i] = -1;
  return r;
}

}  // namespace onnx2fx

#endif
