// An FX program as a torch::nn::Module: runs, trains and saves in C++, without Python.
//
//     onnx2fx::Module model(c.module, [&](const onnx2fx::fx::Tensor& t) { return c.bytes(t.data);
//     }); model.train(); torch::optim::SGD sgd(model.parameters(), 0.01); at::Tensor y =
//     model.forward({x})[0].toTensor();
//
// Every call goes through c10::Dispatcher, so autograd, autocast and packs' own operators work as
// in Python.
#ifndef ONNX2FX_MODULE_HPP_
#define ONNX2FX_MODULE_HPP_

#include <ATen/core/ivalue.h>
#include <torch/nn/module.h>

#include <memory>
#include <onnx2fx/export.hpp>
#include <onnx2fx/program.hpp>
#include <string>
#include <vector>

namespace onnx2fx {

/// Loads a library that registers torch operators of a pack, once, for as long as the process
/// lives; to be done before a Module that calls them is made. `module` says which one it needs.
/// Throws ConversionError: one of that name with other bytes, one built anew since it was loaded.
ONNX2FX_API void load_torch_library(const std::string& path, const fx::Module& module);

class ONNX2FX_API Module : public torch::nn::Module {
 public:
  /// Builds the plan: every operator is resolved and every literal converted here, once. The
  /// tensors are copied from `bytes`; parameters and buffers are registered under their paths, one
  /// torch::nn::Module per dot. Throws ConversionError: a module of the nn dialect, an operator
  /// that this LibTorch does not have.
  Module(const fx::Module& module, const fx::TensorBytes& bytes);
  ~Module() override;

  /// Inputs in the order of fx::Module::inputs; outputs in the order of fx::Module::outputs. A
  /// sequence is a list, an empty optional None, a string tensor a capsule.
  /// Throws ConversionError: "node 'conv1' (aten::conv2d): ...".
  std::vector<c10::IValue> forward(std::vector<c10::IValue> inputs);

  const std::vector<fx::Port>& inputs() const;
  const std::vector<fx::Port>& outputs() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace onnx2fx

#endif
