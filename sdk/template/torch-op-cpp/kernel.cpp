// The torch operator example::soft_clip: y = limit * tanh(x / limit), against PyTorch's stable ABI:
// this library runs on torch 2.10 and later, whatever torch it was built with.
//
// That ABI has no way to give an operator a backward formula. So the operator has a kernel, which
// runs where no gradient is recorded, and what it is in terms of ATen, which runs where one is: its
// gradient, of every order, is that of those calls.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <array>
#include <cmath>

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

namespace {

/// Any operator by its name; no Scalar among the arguments, which that ABI does not hand over.
template <class... Arguments>
Tensor call(const char* name, const char* overload, const Arguments&... arguments) {
  std::array<StableIValue, sizeof...(arguments)> stack{torch::stable::detail::from(arguments)...};
  STABLE_TORCH_ERROR_CODE_CHECK(
      torch_call_dispatcher(name, overload, stack.data(), TORCH_ABI_VERSION));
  return torch::stable::detail::to<Tensor>(stack[0]);
}

template <class T>
void clip(const Tensor& x, double limit, Tensor& y) {
  const T* from = x.const_data_ptr<T>();
  T* to = y.mutable_data_ptr<T>();
  const T l = static_cast<T>(limit);
  for (int64_t i = 0; i < x.numel(); i++) to[i] = l * std::tanh(from[i] / l);
}

/// On the CPU.
Tensor kernel(Tensor x, double limit) {
  x = torch::stable::contiguous(x);
  Tensor y = torch::stable::empty_like(x);
  if (x.scalar_type() == ScalarType::Float)
    clip<float>(x, limit, y);
  else if (x.scalar_type() == ScalarType::Double)
    clip<double>(x, limit, y);
  else
    STD_TORCH_CHECK(false, "soft_clip: x: expected float32 or float64");
  return y;
}

/// On the meta device: what comes out, without its elements.
Tensor shape(Tensor x, double) { return torch::stable::empty_like(x); }

/// Where gradients are recorded; on every device that ATen runs on.
Tensor differentiable(Tensor x, double limit) {
  if (!aoti_torch_grad_mode_is_enabled()) return call("example::soft_clip_kernel", "", x, limit);
  const Tensor l = torch::stable::full({}, limit, ScalarType::Double);  // x's dtype and device win
  return call("aten::mul", "Tensor", call("aten::tanh", "", call("aten::div", "Tensor", x, l)), l);
}

}  // namespace

STABLE_TORCH_LIBRARY(example, m) {
  m.def("soft_clip(Tensor x, float limit) -> Tensor");
  m.def("soft_clip_kernel(Tensor x, float limit) -> Tensor");
}
STABLE_TORCH_LIBRARY_IMPL(example, CPU, m) {
  m.impl("soft_clip", TORCH_BOX(&kernel));
  m.impl("soft_clip_kernel", TORCH_BOX(&kernel));
}
STABLE_TORCH_LIBRARY_IMPL(example, Meta, m) {
  m.impl("soft_clip", TORCH_BOX(&shape));
  m.impl("soft_clip_kernel", TORCH_BOX(&shape));
}
STABLE_TORCH_LIBRARY_IMPL(example, Autograd, m) { m.impl("soft_clip", TORCH_BOX(&differentiable)); }
