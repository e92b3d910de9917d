// A program made ready to run: operators looked up, literals converted to what the schemas want,
// values numbered, and for each step the values that nobody needs afterwards.
#ifndef ONNX2FX_CORE_RUNTIME_PLAN_HPP_
#define ONNX2FX_CORE_RUNTIME_PLAN_HPP_

#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::runtime {

struct Plan;

/// What a run carries along.
struct Context {
  bool training = false;
};

/// Takes the arguments in schema order, may consume them.
using Callable = std::function<c10::IValue(std::vector<c10::IValue>& arguments, const Context&)>;

/// Where an argument comes from when a step runs.
struct Slot {
  enum class Kind : uint8_t { kConstant, kValue, kList, kTraining, kDeviceOf };
  Kind kind = Kind::kConstant;
  c10::IValue constant;
  uint32_t index = 0;           ///< kValue, kDeviceOf: number of the value
  std::vector<Slot> items;      ///< kList
  c10::TypePtr type;            ///< null: as it is
  std::optional<int32_t> size;  ///< of a sized list ("int[2]"): a single number fills it
};

struct Step {
  std::string node, target;  ///< for messages
  Callable call;
  std::vector<Slot> arguments;
  uint32_t result = 0;
  std::vector<uint32_t> last_uses;  ///< values to let go of when the step is done
};

struct Plan {
  std::string name;
  uint32_t n_inputs = 0, n_values = 0;
  std::vector<Step> steps;
  bool returns_list = false;  ///< the output node's argument is a list: one result per element
  std::vector<Slot> results;
};

/// A program as an argument of a higher-order operator or a leaf.
struct ProgramValue : torch::CustomClassHolder {
  explicit ProgramValue(const Plan* plan) : plan(plan) {}
  const Plan* plan;
};
const Plan& program_of(const c10::IValue& value);

/// `tensors[i]` belongs to module.tensors[i]. The plans point at one another: the result must not
/// be moved element by element. Throws ConversionError.
std::vector<Plan> make_plans(const fx::Module& module, const std::vector<at::Tensor>& tensors);

/// Throws ConversionError naming the node.
std::vector<c10::IValue> run(const Plan& plan, std::vector<c10::IValue> inputs,
                             const Context& context);

}  // namespace onnx2fx::runtime

#endif
