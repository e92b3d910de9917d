#include <ATen/core/Tensor.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/runtime/coerce.hpp"
#include "core/runtime/plan.hpp"

namespace onnx2fx::runtime {
namespace {

c10::Device device_of(const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor().device();
  if (value.isList() || value.isTuple())
    for (const c10::IValue& item : elements(value))
      if (item.isTensor()) return item.toTensor().device();
  return c10::kCPU;
}

c10::IValue fetch(const Slot& slot, const std::vector<c10::IValue>& values,
                  const Context& context) {
  switch (slot.kind) {
    case Slot::Kind::kConstant:
      return slot.constant;
    case Slot::Kind::kTraining:
      return context.training;
    case Slot::Kind::kDeviceOf:
      return device_of(slot.items.empty() ? values[slot.index] : slot.items[0].constant);
    case Slot::Kind::kValue:
      return slot.type ? coerce(values[slot.index], slot.type, slot.size) : values[slot.index];
    case Slot::Kind::kList:
      break;
  }
  std::vector<c10::IValue> items;
  items.reserve(slot.items.size());
  for (const Slot& item : slot.items) items.push_back(fetch(item, values, context));
  c10::IValue list = sequence(std::move(items));
  return slot.type ? coerce(std::move(list), slot.type, slot.size) : list;
}

[[noreturn]] void fail(const Step& step, std::string what) {
  what.resize(std::min(what.size(), what.find('\n')));
  throw ConversionError("node '" + step.node + "' (" + step.target + ")", std::move(what));
}

void execute(const Step& step, std::vector<c10::IValue>& values, const Context& context) {
  try {
    std::vector<c10::IValue> arguments;
    arguments.reserve(step.arguments.size());
    for (const Slot& slot : step.arguments) arguments.push_back(fetch(slot, values, context));
    values[step.result] = step.call(arguments, context);
  } catch (const ConversionError&) {
    throw;  // of a node in a sub-program: the innermost node is the one to name
  } catch (const c10::Error& e) {
    fail(step, e.what_without_backtrace());
  } catch (const std::exception& e) {
    fail(step, e.what());
  }
  for (const uint32_t i : step.last_uses) values[i] = {};
}

}  // namespace

std::vector<c10::IValue> run(const Plan& plan, std::vector<c10::IValue> inputs,
                             const Context& context) {
  if (inputs.size() != plan.n_inputs)
    throw ConversionError("program '" + plan.name + "'",
                          "inputs: expected " + std::to_string(plan.n_inputs) + ", got " +
                              std::to_string(inputs.size()));
  std::vector<c10::IValue> values = std::move(inputs);
  values.resize(plan.n_values);
  for (const Step& step : plan.steps) execute(step, values, context);
  std::vector<c10::IValue> results;
  results.reserve(plan.results.size());
  for (const Slot& slot : plan.results) results.push_back(fetch(slot, values, context));
  return results;
}

}  // namespace onnx2fx::runtime
