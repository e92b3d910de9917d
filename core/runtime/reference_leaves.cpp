// What a pack computes itself, by a C function: tensors cross as in DLPack. There is no gradient.
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <c10/util/intrusive_ptr.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/basic_ops.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>

#include "core/runtime/around_library.hpp"
#include "core/runtime/coerce.hpp"
#include "core/runtime/leaf_functions.hpp"
#include "core/runtime/reference_library.hpp"

namespace onnx2fx::runtime::leaf {
namespace {

constexpr int32_t kCpu = 1;  // kDLCPU

struct Dtype {
  at::ScalarType torch;
  o2fx_dtype dlpack;
};
constexpr Dtype kDtypes[] = {
    {at::kChar, {0, 8, 1}},    {at::kShort, {0, 16, 1}},        {at::kInt, {0, 32, 1}},
    {at::kLong, {0, 64, 1}},   {at::kByte, {1, 8, 1}},          {at::kUInt16, {1, 16, 1}},
    {at::kUInt32, {1, 32, 1}}, {at::kUInt64, {1, 64, 1}},       {at::kHalf, {2, 16, 1}},
    {at::kFloat, {2, 32, 1}},  {at::kDouble, {2, 64, 1}},       {at::kBFloat16, {4, 16, 1}},
    {at::kBool, {6, 8, 1}},    {at::kComplexFloat, {5, 64, 1}}, {at::kComplexDouble, {5, 128, 1}},
};

o2fx_dtype dlpack(at::ScalarType type) {
  for (const Dtype& d : kDtypes)
    if (d.torch == type) return d.dlpack;
  TORCH_CHECK(false, "expected a dtype that DLPack has, got ", dtype_name(type));
}

std::string shown(const std::string& dtype, at::IntArrayRef dims) {
  std::ostringstream text;
  text << dtype << dims;
  return text.str();
}
std::string shown(const o2fx_tensor& t) {
  std::string dtype =
      "code " + std::to_string(t.dtype.code) + " of " + std::to_string(t.dtype.bits) + " bits";
  for (const Dtype& d : kDtypes)
    if (d.dlpack.code == t.dtype.code && d.dlpack.bits == t.dtype.bits && t.dtype.lanes == 1)
      dtype = dtype_name(d.torch);
  return shown(dtype, {t.shape, static_cast<size_t>(t.ndim)});
}

o2fx_tensor tensor_of(const at::Tensor& t) {
  o2fx_tensor r{};
  r.data = const_cast<void*>(t.const_data_ptr());
  r.device_type = kCpu;
  r.ndim = static_cast<int32_t>(t.dim());
  r.dtype = dlpack(t.scalar_type());
  r.shape = const_cast<int64_t*>(t.sizes().data());
  r.strides = const_cast<int64_t*>(t.strides().data());
  return r;
}

struct Stated {
  at::ScalarType dtype;
  std::vector<int64_t> dims;  // -1: any
};

/// One call: the state behind its ctx, which is a number and no address.
struct Running {
  std::vector<Stated> stated;
  std::vector<at::Tensor> outputs;
  std::string error;
  o2fx_status status = O2FX_OK;
  o2fx_ctx token;

  o2fx_status fail(o2fx_status s, std::string text) {
    error = std::move(text);
    return status = s;
  }
};
thread_local Running* innermost = nullptr;
std::atomic<uintptr_t> next_token{16};

Running* active(o2fx_ctx ctx) { return innermost && innermost->token == ctx ? innermost : nullptr; }

o2fx_status set_error(o2fx_ctx ctx, o2fx_status status, const char*, int32_t, o2fx_str msg) {
  Running* r = active(ctx);
  if (!r) return O2FX_E_INVALID;
  if (msg.len > O2FX_MAX_TEXT || (msg.len && !msg.data))
    return r->fail(O2FX_E_INVALID, "set_error: message: expected a text");
  if (status >= 0)
    return r->fail(O2FX_E_INVALID,
                   "set_error: status: expected one below 0, got " + std::to_string(status));
  r->fail(status, std::string(msg.data ? msg.data : "", msg.len));
  return status;
}

bool fits(const o2fx_tensor& t, const Stated& stated) {
  const o2fx_dtype d = dlpack(stated.dtype);
  if (t.dtype.code != d.code || t.dtype.bits != d.bits || t.dtype.lanes != d.lanes ||
      static_cast<size_t>(t.ndim) != stated.dims.size())
    return false;
  for (size_t i = 0; i < stated.dims.size(); i++)
    if (t.shape[i] < 0 || (stated.dims[i] >= 0 && t.shape[i] != stated.dims[i])) return false;
  return true;
}

o2fx_status output(o2fx_ctx ctx, uint32_t index, o2fx_tensor* t) {
  Running* r = active(ctx);
  if (!r) return O2FX_E_INVALID;
  const std::string at = "output " + std::to_string(index) + ": ";
  try {
    if (index >= r->outputs.size())
      return r->fail(O2FX_E_INVALID, at + "expected one of " + std::to_string(r->outputs.size()));
    if (r->outputs[index].defined()) return r->fail(O2FX_E_INVALID, at + "asked for twice");
    if (!t || t->ndim < 0 || t->ndim > O2FX_MAX_RANK || (t->ndim && !t->shape))
      return r->fail(O2FX_E_INVALID, at + "expected a tensor with ndim and shape");
    const Stated& stated = r->stated[index];
    if (!fits(*t, stated))
      return r->fail(
          O2FX_E_INVALID,
          at + "expected " + shown(dtype_name(stated.dtype), stated.dims) + ", got " + shown(*t));
    r->outputs[index] =
        at::zeros(at::IntArrayRef(t->shape, static_cast<size_t>(t->ndim)), stated.dtype);
    *t = tensor_of(r->outputs[index]);
    return O2FX_OK;
  } catch (const std::exception& e) {
    return r->fail(O2FX_E_NOMEM, at + "no memory: " + std::string(e.what()).substr(0, 200));
  }
}

constexpr o2fx_reference_host kHost = {sizeof kHost, set_error, output};

std::vector<Stated> stated_results(const c10::IValue& dtypes, const c10::IValue& ranks,
                                   const c10::IValue& sizes) {
  const std::vector<c10::IValue> types = elements(dtypes), dims = elements(ranks),
                                 all = elements(sizes);
  std::vector<Stated> r;
  size_t next = 0;
  for (size_t k = 0; k < types.size(); k++) {
    const auto rank = static_cast<size_t>(k < dims.size() ? dims[k].toInt() : 0);
    TORCH_CHECK(k < dims.size() && rank <= all.size() - next,
                "expected a rank for each dtype, and an extent for each axis");
    r.push_back({static_cast<at::ScalarType>(types[k].toInt()), {}});
    for (size_t i = 0; i < rank; i++) r.back().dims.push_back(all[next++].toInt());
  }
  return r;
}

std::vector<at::Tensor> compute(const std::string& name, const std::vector<at::Tensor>& inputs,
                                const std::string& options, std::vector<Stated> stated) {
  const Reference* f = find_reference(name);
  TORCH_CHECK(f, name, ": expected a reference function of a library that is loaded");
  std::vector<at::Tensor> kept;
  std::vector<o2fx_tensor> tensors(inputs.size());
  std::vector<const o2fx_tensor*> pointers(inputs.size());
  for (size_t i = 0; i < inputs.size(); i++) {
    if (!inputs[i].defined()) continue;
    kept.push_back(inputs[i].cpu().contiguous().resolve_conj().resolve_neg());
    tensors[i] = tensor_of(kept.back());
    pointers[i] = &tensors[i];
  }
  Running running{
      std::move(stated), {}, {}, O2FX_OK, reinterpret_cast<o2fx_ctx>(next_token.fetch_add(16))};
  running.outputs.resize(running.stated.size());
  const o2fx_reference_call call = {sizeof call,
                                    pointers.data(),
                                    {options.data(), options.size()},
                                    static_cast<uint32_t>(inputs.size()),
                                    static_cast<uint32_t>(running.stated.size())};
  o2fx_status status = O2FX_OK;
  {
    std::unique_lock<std::mutex> lock;
    if (f->serial) lock = std::unique_lock(*f->serial);
    innermost = &running;
    in_library({f->library, f->id, f->version, "while it computed " + name},
               [&] { status = f->compute(&kHost, running.token, &call, f->user); });
    innermost = nullptr;
  }
  TORCH_CHECK(status == O2FX_OK, name, ": ",
              running.status == status && !running.error.empty()
                  ? running.error
                  : "returned status " + std::to_string(status) + " without a text");
  for (size_t k = 0; k < running.outputs.size(); k++)
    TORCH_CHECK(running.outputs[k].defined(), name, ": output ", k,
                ": expected a tensor, got none");
  return std::move(running.outputs);
}

}  // namespace

c10::IValue reference(Arguments& x, const Context&) {
  const std::string name = x[0].toStringRef();
  std::vector<at::Tensor> inputs, differentiable;
  for (const c10::IValue& value : elements(x[1])) {
    inputs.push_back(value.isNone() ? at::Tensor() : value.toTensor());
    if (inputs.back().defined()) differentiable.push_back(inputs.back());
  }
  std::vector<at::Tensor> outputs;
  {
    const c10::NoGradGuard no_grad;
    outputs = compute(name, inputs, x[2].toStringRef(), stated_results(x[3], x[4], x[5]));
    for (at::Tensor& y : outputs)
      if (!differentiable.empty()) y = y.to(differentiable[0].device());
  }
  if (c10::GradMode::is_enabled() &&
      std::any_of(differentiable.begin(), differentiable.end(),
                  [](const at::Tensor& t) { return t.requires_grad(); })) {
    const auto refusal = c10::make_intrusive<torch::autograd::Error>(
        name +
            ": a reference function has no gradient; a torch operator with one, or a "
            "decomposition, can be trained through",
        torch::autograd::collect_next_edges(differentiable));
    for (const at::Tensor& y : outputs)
      if (torch::autograd::isDifferentiableType(y.scalar_type()))
        torch::autograd::set_history(y, refusal);
  }
  Arguments results(outputs.begin(), outputs.end());
  return c10::ivalue::Tuple::create(std::move(results));
}

}  // namespace onnx2fx::runtime::leaf
