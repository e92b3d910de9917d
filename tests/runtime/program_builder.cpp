#include "tests/runtime/program_builder.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <span>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"

namespace onnx2fx::runtime {

fx::NodeRef ProgramBuilder::add(fx::Node node) {
  if (node.name.empty()) node.name = "n" + std::to_string(program_.nodes.size());
  program_.nodes.push_back(std::move(node));
  return {static_cast<uint32_t>(program_.nodes.size() - 1)};
}

fx::NodeRef ProgramBuilder::placeholder(const std::string& name) {
  return add({.op = fx::Op::kPlaceholder, .name = name, .target = name});
}

fx::NodeRef ProgramBuilder::tensor(uint32_t index) {
  return add({.op = fx::Op::kGetAttr, .tensor = index});
}

fx::NodeRef ProgramBuilder::call(const std::string& target, fx::List arguments,
                                 std::vector<fx::NamedArgument> named) {
  return add({.target = target, .args = std::move(arguments), .kwargs = std::move(named)});
}

fx::Program ProgramBuilder::output(fx::Argument result) {
  add({.op = fx::Op::kOutput, .name = "output", .args = {std::move(result)}});
  return std::move(program_);
}

uint32_t ModuleBuilder::tensor(const std::string& path, const std::vector<float>& values,
                               std::vector<int64_t> dims, fx::Role role) {
  auto bytes = std::make_shared<std::string>(reinterpret_cast<const char*>(values.data()),
                                             values.size() * 4);
  module_.tensors.push_back({.name = path,
                             .path = path,
                             .dtype = "float32",
                             .dims = std::move(dims),
                             .role = role,
                             .requires_grad = role == fx::Role::kParameter,
                             .data = {std::move(bytes)}});
  return static_cast<uint32_t>(module_.tensors.size() - 1);
}

fx::ProgramRef ModuleBuilder::program(fx::Program program) {
  module_.programs.push_back(std::move(program));
  return {static_cast<uint32_t>(module_.programs.size() - 1)};
}

std::shared_ptr<Module> ModuleBuilder::build(fx::Program root, size_t outputs) {
  module_.programs[0] = std::move(root);
  module_.outputs.resize(outputs);
  return std::make_shared<Module>(module_, [](const fx::Tensor& tensor) {
    const auto& bytes = std::get<std::shared_ptr<const std::string>>(tensor.data.where);
    return std::span(reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size());
  });
}

at::Tensor floats(const std::vector<float>& values, at::IntArrayRef dims) {
  return at::tensor(values).reshape(dims);
}

std::vector<float> values_of(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.detach().to(at::kFloat).contiguous();
  return {plain.const_data_ptr<float>(), plain.const_data_ptr<float>() + plain.numel()};
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const ConversionError& e) {
    return e.what();
  }
  return "";
}

}  // namespace onnx2fx::runtime
