// FX modules written by hand, for tests of the runtime alone.
#ifndef ONNX2FX_TESTS_RUNTIME_PROGRAM_BUILDER_HPP_
#define ONNX2FX_TESTS_RUNTIME_PROGRAM_BUILDER_HPP_

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/include/onnx2fx/module.hpp"
#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::runtime {

class ProgramBuilder {
 public:
  explicit ProgramBuilder(std::string name) { program_.name = std::move(name); }

  fx::NodeRef placeholder(const std::string& name);
  fx::NodeRef tensor(uint32_t index);
  fx::NodeRef call(const std::string& target, fx::List arguments,
                   std::vector<fx::NamedArgument> named = {});
  fx::Program output(fx::Argument result);

 private:
  fx::NodeRef add(fx::Node node);
  fx::Program program_;
};

class ModuleBuilder {
 public:
  uint32_t tensor(const std::string& path, const std::vector<float>& values,
                  std::vector<int64_t> dims, fx::Role role);
  uint32_t parameter(const std::string& path, const std::vector<float>& values,
                     std::vector<int64_t> dims) {
    return tensor(path, values, std::move(dims), fx::Role::kParameter);
  }
  fx::ProgramRef program(fx::Program program);
  /// `root` becomes program 0.
  std::shared_ptr<Module> build(fx::Program root, size_t outputs = 1);

 private:
  fx::Module module_{.programs = {fx::Program{}}};
};

at::Tensor floats(const std::vector<float>& values, at::IntArrayRef dims);
std::vector<float> values_of(const at::Tensor& tensor);
/// what() of the ConversionError that `f` throws; empty when it throws none.
std::string error_of(const std::function<void()>& f);

}  // namespace onnx2fx::runtime

#endif
