#include "core/runtime/plan.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/runtime/callables.hpp"
#include "core/runtime/coerce.hpp"
#include "core/runtime/reference_library.hpp"

namespace onnx2fx::runtime {
namespace {

struct Target {
  const c10::FunctionSchema* schema = nullptr;  ///< null: arguments are taken as they come
  Callable call;
};

Callable dispatched(const c10::OperatorHandle& handle) {
  return [handle](std::vector<c10::IValue>& arguments, const Context&) -> c10::IValue {
    handle.callBoxed(&arguments);
    if (arguments.size() == 1) return std::move(arguments[0]);
    if (arguments.empty()) return {};
    return c10::ivalue::Tuple::create(std::move(arguments));
  };
}

/// The library that the pack of a target says it is in.
std::string remedy(const std::string& target, const std::vector<fx::TorchLibrary>& libraries) {
  for (const fx::TorchLibrary& l : libraries)
    if (std::find(l.targets.begin(), l.targets.end(), target) != l.targets.end())
      return "it is in " + fx::described(l) +
             ": load that file first (--torch-library, load_torch_library)";
  return "load the library that registers the pack's operators";
}

Target find_target(const std::string& target, const std::vector<fx::TorchLibrary>& libraries) {
  if (Callable call = find_builtin(target)) return {nullptr, std::move(call)};
  if (Callable call = find_control_flow(target)) return {nullptr, std::move(call)};
  if (Leaf leaf = find_leaf(target); leaf.call) return {leaf.schema, std::move(leaf.call)};
  const size_t colons = target.find("::"), dot = target.find('.', colons + 2);
  const std::string name = target.substr(0, dot);
  const std::string overload = dot == std::string::npos ? "" : target.substr(dot + 1);
  const auto handle =
      c10::Dispatcher::singleton().findSchema({name, overload == "default" ? "" : overload});
  if (!handle)
    throw ConversionError("", "target: expected an operator of this LibTorch, got '" + target + "'",
                          {remedy(target, libraries)});
  return {&handle->schema(), dispatched(*handle)};
}

void require_function(const fx::Node& node, const std::vector<fx::TorchLibrary>& libraries) {
  const std::string* name = node.args.empty() ? nullptr : node.args[0].as<std::string>();
  if (name && !find_reference(*name))
    throw ConversionError("",
                          "function: expected one of a library that is loaded, got '" + *name + "'",
                          {remedy(*name, libraries)});
}

class PlanBuilder {
 public:
  PlanBuilder(const fx::Module& module, size_t index, const std::vector<at::Tensor>& tensors,
              std::vector<Plan>& plans)
      : program_(module.programs[index]),
        libraries_(module.torch_libraries),
        tensors_(tensors),
        plans_(plans),
        plan_(plans[index]) {}

  void build() {
    plan_.name = program_.name;
    plan_.n_values = static_cast<uint32_t>(program_.nodes.size());
    for (uint32_t i = 0; i < program_.nodes.size(); i++) {
      const fx::Node& node = program_.nodes[i];
      try {
        add(node, i);
      } catch (const ConversionError& e) {
        const std::string target = node.target.empty() ? "" : " (" + node.target + ")";
        throw ConversionError("node '" + node.name + "'" + target, e.diagnostics[0].what,
                              e.diagnostics[0].notes);
      }
    }
    set_last_uses();
  }

 private:
  void add(const fx::Node& node, uint32_t index) {
    switch (node.op) {
      case fx::Op::kPlaceholder:
        if (index != plan_.n_inputs++)
          throw ConversionError(
              "", "placeholder: expected all placeholders first, got one after other nodes");
        return;
      case fx::Op::kGetAttr:
        return;  // stands in the slots that use it
      case fx::Op::kCallFunction:
        return add_call(node, index);
      case fx::Op::kCallModule:
        throw ConversionError(
            "", "call_module: expected a program of the aten dialect, got the nn dialect",
            {"convert with Dialect::kAten"});
      case fx::Op::kOutput:
        return add_output(node);
    }
  }

  void add_call(const fx::Node& node, uint32_t index) {
    Target target = find_target(node.target, libraries_);
    if (node.target == "onnx2fx::reference") require_function(node, libraries_);
    Step step{node.name, node.target, std::move(target.call), {}, index, {}};
    if (target.schema) {
      add_arguments(node, *target.schema, step);
    } else {
      if (!node.kwargs.empty())
        throw ConversionError(
            "", "arguments: expected no keywords, got '" + node.kwargs[0].first + "'");
      for (const fx::Argument& argument : node.args)
        step.arguments.push_back(slot(argument, nullptr, std::nullopt));
    }
    plan_.steps.push_back(std::move(step));
  }

  void add_arguments(const fx::Node& node, const c10::FunctionSchema& schema, Step& step) {
    std::unordered_map<std::string, const fx::Argument*> named;
    for (const auto& [name, argument] : node.kwargs) named.emplace(name, &argument);
    size_t position = 0;
    for (const c10::Argument& formal : schema.arguments()) {
      const fx::Argument* actual = nullptr;
      if (!formal.kwarg_only() && position < node.args.size()) {
        actual = &node.args[position++];
      } else if (const auto found = named.find(formal.name()); found != named.end()) {
        actual = found->second;
        named.erase(found);
      }
      if (actual) {
        step.arguments.push_back(slot(*actual, formal.type(), formal.N()));
      } else if (formal.default_value()) {
        step.arguments.push_back(constant(*formal.default_value(), nullptr, std::nullopt));
      } else {
        throw ConversionError("", "argument '" + formal.name() + "': expected a value, got none");
      }
    }
    if (position < node.args.size() || !named.empty())
      throw ConversionError(
          "", "arguments: expected at most " + std::to_string(schema.arguments().size()) +
                  ", got " +
                  (named.empty() ? std::to_string(node.args.size())
                                 : "an unknown name '" + named.begin()->first + "'"));
  }

  void add_output(const fx::Node& node) {
    if (node.args.size() != 1)
      throw ConversionError(
          "", "output: expected one argument, got " + std::to_string(node.args.size()));
    if (const fx::List* list = node.args[0].as<fx::List>()) {
      plan_.returns_list = true;
      for (const fx::Argument& argument : *list)
        plan_.results.push_back(slot(argument, nullptr, std::nullopt));
    } else {
      plan_.results.push_back(slot(node.args[0], nullptr, std::nullopt));
    }
  }

  Slot constant(c10::IValue value, const c10::TypePtr& type, std::optional<int32_t> size) {
    Slot slot;
    try {
      slot.constant = type ? coerce(std::move(value), type, size) : std::move(value);
    } catch (const c10::Error& e) {
      throw ConversionError("", e.what_without_backtrace());
    }
    return slot;
  }

  Slot slot(const fx::Argument& argument, const c10::TypePtr& type, std::optional<int32_t> size) {
    if (const auto* ref = argument.as<fx::NodeRef>()) return reference(*ref, type, size);
    if (const auto* device = argument.as<fx::DeviceOf>()) {
      Slot slot = reference(device->tensor, nullptr, std::nullopt);
      if (slot.kind == Slot::Kind::kConstant) slot.items.push_back(slot);
      slot.kind = Slot::Kind::kDeviceOf;
      return slot;
    }
    if (argument.as<fx::Training>()) {
      Slot slot;
      slot.kind = Slot::Kind::kTraining;
      return slot;
    }
    if (const auto* program = argument.as<fx::ProgramRef>())
      return constant(
          c10::IValue::make_capsule(c10::make_intrusive<ProgramValue>(&plans_.at(program->index))),
          nullptr, std::nullopt);
    if (const fx::List* list = argument.as<fx::List>()) return list_slot(*list, type, size);
    return constant(literal(argument), type, size);
  }

  Slot reference(fx::NodeRef ref, const c10::TypePtr& type, std::optional<int32_t> size) {
    const fx::Node& node = program_.nodes.at(ref.index);
    if (node.op == fx::Op::kGetAttr) {
      if (!node.tensor)
        throw ConversionError("", "get_attr '" + node.name + "': expected a tensor, got none");
      return constant(tensors_.at(*node.tensor), type, size);
    }
    Slot slot;
    slot.kind = Slot::Kind::kValue;
    slot.index = ref.index;
    slot.type = type;
    slot.size = size;
    return slot;
  }

  Slot list_slot(const fx::List& list, const c10::TypePtr& type, std::optional<int32_t> size) {
    Slot slot;
    slot.kind = Slot::Kind::kList;
    bool literal_only = true;
    for (const fx::Argument& item : list) {
      slot.items.push_back(this->slot(item, nullptr, std::nullopt));
      literal_only &= slot.items.back().kind == Slot::Kind::kConstant;
    }
    if (!literal_only || !type) {
      slot.type = type;
      slot.size = size;
      return slot;
    }
    std::vector<c10::IValue> items;
    for (Slot& item : slot.items) items.push_back(item.constant);
    return constant(sequence(std::move(items)), type, size);
  }

  template <class F>
  static void for_each_value(const Slot& slot, F&& f) {
    if (slot.kind == Slot::Kind::kValue ||
        (slot.kind == Slot::Kind::kDeviceOf && slot.items.empty()))
      f(slot.index);
    for (const Slot& item : slot.items) for_each_value(item, f);
  }

  void set_last_uses() {
    std::vector<bool> used(plan_.n_values);
    for (const Slot& result : plan_.results)
      for_each_value(result, [&](uint32_t i) { used[i] = true; });
    for (size_t s = plan_.steps.size(); s-- > 0;) {
      Step& step = plan_.steps[s];
      const auto last = [&](uint32_t i) {
        if (!used[i]) step.last_uses.push_back(i);
        used[i] = true;
      };
      last(step.result);
      for (const Slot& argument : step.arguments) for_each_value(argument, last);
    }
  }

  const fx::Program& program_;
  const std::vector<fx::TorchLibrary>& libraries_;
  const std::vector<at::Tensor>& tensors_;
  const std::vector<Plan>& plans_;
  Plan& plan_;
};

}  // namespace

const Plan& program_of(const c10::IValue& value) {
  const auto* program =
      value.isCapsule() ? dynamic_cast<const ProgramValue*>(value.toCapsule().get()) : nullptr;
  TORCH_CHECK(program, "expected a program, got ", value.tagKind());
  return *program->plan;
}

std::vector<Plan> make_plans(const fx::Module& module, const std::vector<at::Tensor>& tensors) {
  std::vector<Plan> plans(module.programs.size());
  for (size_t i = 0; i < plans.size(); i++) PlanBuilder(module, i, tensors, plans).build();
  return plans;
}

}  // namespace onnx2fx::runtime
