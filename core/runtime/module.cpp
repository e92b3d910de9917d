#include "core/include/onnx2fx/module.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/runtime/coerce.hpp"
#include "core/runtime/plan.hpp"

namespace onnx2fx {
namespace {

at::Tensor make_tensor(const fx::Tensor& tensor, std::span<const uint8_t> bytes) {
  const at::TensorOptions options = at::TensorOptions().dtype(runtime::scalar_type(tensor.dtype));
  if (std::holds_alternative<std::monostate>(tensor.data.where))
    return at::empty(tensor.dims, options.device(at::kMeta));
  at::Tensor result = at::empty(tensor.dims, options);
  if (bytes.size() != result.nbytes())
    throw ConversionError("tensor '" + tensor.name + "'",
                          "data: expected " + std::to_string(result.nbytes()) + " bytes, got " +
                              std::to_string(bytes.size()));
  if (!bytes.empty()) std::memcpy(result.mutable_data_ptr(), bytes.data(), bytes.size());
  return result;
}

// The children on the way to "encoder.layer.0.weight" are made as needed; returns the last part of
// the path.
std::string descend(torch::nn::Module*& at, const std::string& path) {
  size_t begin = 0;
  for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', begin)) {
    const std::string part = path.substr(begin, dot - begin);
    const auto children = at->named_children();
    const auto* child = children.find(part);
    at = child ? child->get()
               : at->register_module(part, std::make_shared<torch::nn::Module>()).get();
    begin = dot + 1;
  }
  return path.substr(begin);
}

}  // namespace

struct Module::Impl {
  std::vector<fx::Port> inputs, outputs;
  std::vector<runtime::Plan> plans;
};

Module::Module(const fx::Module& module, const fx::TensorBytes& bytes)
    : impl_(std::make_unique<Impl>()) {
  impl_->inputs = module.inputs;
  impl_->outputs = module.outputs;
  std::vector<at::Tensor> tensors;
  for (const fx::Tensor& tensor : module.tensors) {
    at::Tensor value = make_tensor(tensor, bytes(tensor));
    torch::nn::Module* owner = this;
    const std::string name = descend(owner, tensor.path);
    tensors.push_back(tensor.role == fx::Role::kParameter
                          ? owner->register_parameter(name, value, tensor.requires_grad)
                          : owner->register_buffer(name, value));
  }
  impl_->plans = runtime::make_plans(module, tensors);
}

Module::~Module() = default;

std::vector<c10::IValue> Module::forward(std::vector<c10::IValue> inputs) {
  const runtime::Plan& root = impl_->plans.at(0);
  std::vector<c10::IValue> results = runtime::run(root, std::move(inputs), {is_training()});
  // one output that is a list is a sequence, not several outputs
  if (root.returns_list && impl_->outputs.size() == 1)
    return {runtime::sequence(std::move(results))};
  return results;
}

const std::vector<fx::Port>& Module::inputs() const { return impl_->inputs; }
const std::vector<fx::Port>& Module::outputs() const { return impl_->outputs; }

}  // namespace onnx2fx
