// Real numbers in lowerings: a literal where it is known, a size as long as it meets tensors only,
// else a tensor (a scalar, or one number per place), of doubles unless it is taken as it is.
// Formulas are written once and fold as far as they can.
#ifndef ONNX2FX_PLUGINS_LOWERING_REAL_HPP_
#define ONNX2FX_PLUGINS_LOWERING_REAL_HPP_

#include <onnx2fx/plugin.hpp>
#include <optional>
#include <string>

namespace onnx2fx {

class Real {
 public:
  Real(double literal) : literal_(literal) {}
  Real(Node& n, Value tensor) : n_(&n), tensor_(n.cast(tensor, kDouble)) {}
  /// A tensor in its own dtype.
  static Real as_is(Node& n, Value tensor) { return Real(n, tensor, 0); }
  Real(Node& n, const Int& i) {
    if (i.known()) {
      literal_ = static_cast<double>(i.literal());
    } else {
      n_ = &n;
      size_ = i;
    }
  }
  bool known() const { return !n_; }
  bool is(double d) const { return known() && literal_ == d; }
  double literal() const { return literal_; }
  /// The tensor; only where not known().
  Value tensor() const {
    if (size_ && !tensor_)
      tensor_ = n_->call("aten::to.dtype", {n_->int_tensor(*size_), Dtype{kDouble}});
    return tensor_;
  }

  friend Real operator+(const Real& a, const Real& b) {
    return a.is(0) ? b : binary("add", a, b, a.literal_ + b.literal_);
  }
  friend Real operator-(const Real& a, const Real& b) {
    return binary("sub", a, b, a.literal_ - b.literal_);
  }
  friend Real operator*(const Real& a, const Real& b) {
    return a.is(1) ? b : binary("mul", a, b, a.literal_ * b.literal_);
  }
  friend Real operator/(const Real& a, const Real& b) {
    return binary("div", a, b, a.literal_ / b.literal_);
  }
  /// Of a tensor: `aten::NAME(this, rest...)`.
  Real call(const std::string& target, const Args& rest = {}) const {
    Args args{tensor()};
    args.insert(args.end(), rest.begin(), rest.end());
    return as_is(*n_, n_->call(target, args));
  }

 private:
  Real(Node& n, Value tensor, int) : n_(&n), tensor_(tensor) {}
  static Real binary(const std::string& name, const Real& a, const Real& b, double folded) {
    if (a.known() && b.known()) return folded;
    const bool adds = name == "add" || name == "sub";
    if (b.is(adds ? 0 : 1)) return a;
    if (b.is_number() && !a.known()) return a.call("aten::" + name + ".Scalar", {b.number()});
    if (!a.is_number()) return a.call("aten::" + name + ".Tensor", {b.tensor()});
    if (name == "sub") return b.call("aten::rsub.Scalar", {a.number()});
    if (name == "div") return b.call("aten::reciprocal").call("aten::mul.Scalar", {a.number()});
    return b.call("aten::" + name + ".Scalar", {a.number()});
  }
  bool is_number() const { return known() || size_; }
  Arg number() const { return size_ ? Arg(*size_) : Arg(literal_); }

  Node* n_ = nullptr;  // of what is not known
  double literal_ = 0;
  std::optional<Int> size_;
  mutable Value tensor_;  // of a size: once it is needed
};

}  // namespace onnx2fx

#endif
