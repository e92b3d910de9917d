#include "core/runtime/session.hpp"

#include <ATen/Context.h>
#include <c10/core/GradMode.h>

#include <memory>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/include/onnx2fx/module.hpp"
#include "core/runtime/around_library.hpp"
#include "core/runtime/compare.hpp"
#include "core/runtime/host_value.hpp"

namespace onnx2fx::runtime {
namespace {

class ModuleSession final : public Session {
 public:
  ModuleSession(const fx::Module& module, const fx::TensorBytes& bytes) : module_(module, bytes) {
    module_.eval();
  }

  void train(bool on) override { module_.train(on); }

  std::vector<HostValue> run(const std::vector<HostValue>& inputs) override {
    std::vector<HostValue> outputs;
    for (const c10::IValue& output : forward(inputs)) outputs.push_back(to_host(output));
    return outputs;
  }

  std::vector<OutputCheck> check(const std::vector<HostValue>& inputs,
                                 const std::vector<HostValue>& expected,
                                 const Tolerance& tolerance) override {
    at::manual_seed(0);
    const std::vector<c10::IValue> outputs = forward(inputs);
    if (expected.size() > outputs.size())
      throw ConversionError("", "outputs: expected " + std::to_string(expected.size()) + ", got " +
                                    std::to_string(outputs.size()));
    std::vector<OutputCheck> checks;
    for (size_t i = 0; i < expected.size(); i++) {
      std::string name =
          i < module_.outputs().size() ? module_.outputs()[i].onnx_name : std::to_string(i);
      checks.push_back(compare(std::move(name), outputs[i], to_ivalue(expected[i]), tolerance));
    }
    return checks;
  }

 private:
  std::vector<c10::IValue> forward(const std::vector<HostValue>& inputs) {
    c10::NoGradGuard no_grad;
    std::vector<c10::IValue> values;
    values.reserve(inputs.size());
    for (const HostValue& input : inputs) values.push_back(to_ivalue(input));
    return module_.forward(std::move(values));
  }

  Module module_;
};

}  // namespace

extern "C" ONNX2FX_API MakeSession onnx2fx_runtime_make_session_3;

std::unique_ptr<Session> onnx2fx_runtime_make_session_3(
    const fx::Module& module, const fx::TensorBytes& bytes,
    const std::vector<std::string>& torch_libraries, AroundLibrary around) {
  set_around_library(around);
  for (const std::string& library : torch_libraries) load_torch_library(library, module);
  return std::make_unique<ModuleSession>(module, bytes);
}

}  // namespace onnx2fx::runtime
