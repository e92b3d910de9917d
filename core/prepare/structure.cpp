#include "core/prepare/structure.hpp"

#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "core/prepare/place.hpp"
#include "core/prepare/scope.hpp"
#include "core/prepare/sort.hpp"
#include "core/weights/overlap.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::prepare {
namespace {

using FunctionKey = std::tuple<std::string, std::string, std::string>;

FunctionKey key_of(const onnx::FunctionProto& f) { return {f.domain(), f.name(), f.overload()}; }
FunctionKey key_of(const onnx::NodeProto& n) { return {n.domain(), n.op_type(), n.overload()}; }

/// What is the same for all nodes of the model's graph, or of one function.
struct Context {
  Opsets& opsets;
  const onnx::FunctionProto* function = nullptr;  ///< null: the model's graph
};

class Walk {
 public:
  Walk(read::ModelFile& file, Findings& findings) : file_(file), findings_(findings) {}

  void run(Opsets& opsets) {
    for (onnx::FunctionProto& function : *file_.model.mutable_functions()) {
      if (functions_.emplace(key_of(function), &function).second) continue;
      findings_.fault(function_place(file_.name, function), "it is defined twice");
    }
    graph(*file_.model.mutable_graph(), nullptr, {opsets}, file_.name);
    for (onnx::FunctionProto& function : *file_.model.mutable_functions()) this->function(function);
    call_cycles();
    for (auto& [place, what] : ranges_.faults()) findings_.fault(place, what);
  }

 private:
  void graph(onnx::GraphProto& graph, const Scope* parent, const Context& context,
             const std::string& place) {
    Scope scope{parent, {}};
    for (int i = 0; i < graph.input_size(); ++i) {
      define(graph.input(i).name(), "input #" + std::to_string(i), scope, place);
    }
    initializers(graph, scope, place);
    nodes(*graph.mutable_node(), scope, context, place);
    for (int i = 0; i < graph.output_size(); ++i) made(graph.output(i).name(), i, scope, place);
  }

  void function(onnx::FunctionProto& function) {
    const std::string place = function_place(file_.name, function);
    Opsets opsets(*function.mutable_opset_import(), place, findings_);
    Scope scope;
    for (int i = 0; i < function.input_size(); ++i) {
      define(function.input(i), "input #" + std::to_string(i), scope, place);
    }
    for (const onnx::AttributeProto& attribute : function.attribute_proto())
      this->attribute(attribute, {opsets, &function}, place);
    nodes(*function.mutable_node(), scope, {opsets, &function}, place);
    for (int i = 0; i < function.output_size(); ++i) made(function.output(i), i, scope, place);
  }

  void define(const std::string& name, const std::string& what, Scope& scope,
              const std::string& place) {
    if (name.empty()) {
      findings_.fault(place, what + ": expected a name, got none");
    } else if (!scope.names.insert(name).second) {
      findings_.fault(place,
                      what + ": expected a new name, got '" + name + "', which is defined already");
    }
  }

  void made(const std::string& name, int i, const Scope& scope, const std::string& place) {
    const std::string what = "output #" + std::to_string(i);
    if (name.empty()) {
      findings_.fault(place, what + ": expected a name, got none");
    } else if (!scope.sees(name)) {
      findings_.fault(place, what + ": no node makes '" + name + "'");
    }
  }

  /// An initializer may give an input its default value, but no two initializers have one name.
  void initializers(const onnx::GraphProto& graph, Scope& scope, const std::string& place) {
    Scope own;
    for (int i = 0; i < graph.initializer_size(); ++i) {
      const onnx::TensorProto& tensor = graph.initializer(i);
      define(tensor.name(), "initializer #" + std::to_string(i), own, place);
      check_tensor(tensor, place + ": initializer '" + tensor.name() + "'");
    }
    for (int i = 0; i < graph.sparse_initializer_size(); ++i) {
      const onnx::SparseTensorProto& sparse = graph.sparse_initializer(i);
      define(sparse.values().name(), "sparse initializer #" + std::to_string(i), own, place);
      check_sparse(sparse, place + ": sparse initializer '" + sparse.values().name() + "'");
    }
    scope.names.merge(own.names);
  }

  void check_tensor(const onnx::TensorProto& tensor, const std::string& place) {
    const std::string fault = weights::fault_of(file_, tensor);
    if (!fault.empty()) return findings_.fault(place, fault);
    ranges_.add(file_, tensor, place);
  }
  void check_sparse(const onnx::SparseTensorProto& sparse, const std::string& place) {
    check_tensor(sparse.values(), place + ": values");
    check_tensor(sparse.indices(), place + ": indices");
  }

  void nodes(Nodes& nodes, Scope& scope, const Context& context, const std::string& place) {
    const std::string fault = sort(nodes, scope);
    if (!fault.empty()) {
      findings_.fault(place, fault);
      // One fault is enough: names that are read too early are not unknown.
      for (const onnx::NodeProto& node : nodes)
        scope.names.insert(node.output().begin(), node.output().end());
    }
    Scope made{nullptr, {}};
    for (int i = 0; i < nodes.size(); ++i)
      node(nodes[i], i, scope, context, place, fault.empty() ? scope : made);
  }

  /// outputs: the scope that the node's outputs go to.
  void node(onnx::NodeProto& node, int index, Scope& scope, const Context& context,
            const std::string& owner, Scope& outputs) {
    const std::string unversioned = node_place(owner, node, index, std::nullopt);
    if (node.op_type().empty())
      return findings_.fault(unversioned, "operator: expected a name, got none");
    const int64_t* opset = context.opsets.of(node, unversioned);
    const std::string place = opset ? node_place(owner, node, index, *opset) : unversioned;
    for (int i = 0; i < node.input_size(); ++i) {
      if (node.input(i).empty() || scope.sees(node.input(i))) continue;
      findings_.fault(place,
                      "input " + std::to_string(i) + ": no value is named '" + node.input(i) + "'");
    }
    if (const auto called = functions_.find(key_of(node)); called != functions_.end()) {
      check_call(node, *called->second, place, findings_);
      if (context.function) calls_[key_of(*context.function)].push_back(called->second);
    } else if (opset) {
      check_node(node, *opset, place, findings_);
    }
    while (node.input_size() > 0 && node.input(node.input_size() - 1).empty())
      node.mutable_input()->RemoveLast();  // left out in one way from here on
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      this->attribute(attribute, context, place);
      subgraphs(attribute, scope, context, subgraph_place(owner, node, index, attribute.name()));
    }
    for (int i = 0; i < node.output_size(); ++i) {
      if (!node.output(i).empty())
        define(node.output(i), "output " + std::to_string(i), outputs, place);
    }
  }

  void attribute(const onnx::AttributeProto& attribute, const Context& context,
                 const std::string& node) {
    const std::string place = node + ": attribute '" + attribute.name() + "'";
    if (attribute.has_t()) check_tensor(attribute.t(), place);
    for (const auto& tensor : attribute.tensors()) check_tensor(tensor, place);
    if (attribute.has_sparse_tensor()) check_sparse(attribute.sparse_tensor(), place);
    for (const auto& tensor : attribute.sparse_tensors()) check_sparse(tensor, place);
    const std::string& reference = attribute.ref_attr_name();
    if (reference.empty()) return;
    if (!context.function) {
      findings_.fault(
          place, "it refers to attribute '" + reference + "' of a function, but stands in none");
    } else if (!has_attribute(*context.function, reference)) {
      findings_.fault(place, "the function has no attribute '" + reference + "'");
    }
  }

  static bool has_attribute(const onnx::FunctionProto& function, const std::string& name) {
    for (const std::string& attribute : function.attribute()) {
      if (attribute == name) return true;
    }
    for (const onnx::AttributeProto& attribute : function.attribute_proto()) {
      if (attribute.name() == name) return true;
    }
    return false;
  }

  void subgraphs(onnx::AttributeProto& attribute, const Scope& scope, const Context& context,
                 const std::string& place) {
    if (attribute.has_g()) graph(*attribute.mutable_g(), &scope, context, place);
    for (onnx::GraphProto& g : *attribute.mutable_graphs()) graph(g, &scope, context, place);
  }

  /// Functions are expanded where they are called, which must come to an end.
  void call_cycles() {
    enum class State : uint8_t { kNew, kOpen, kDone };
    std::map<FunctionKey, State> state;
    struct Frame {
      const onnx::FunctionProto* function;
      size_t next = 0;
    };
    for (const auto& [key, function] : functions_) {
      std::vector<Frame> stack;
      const auto enter = [&](const onnx::FunctionProto* f) {
        State& s = state[key_of(*f)];
        if (s == State::kOpen) report_cycle(stack, f);
        if (s == State::kNew) stack.push_back({f});
        if (s == State::kNew) s = State::kOpen;
      };
      enter(function);
      while (!stack.empty()) {
        Frame& top = stack.back();
        const auto& callees = calls_[key_of(*top.function)];
        if (top.next < callees.size()) {
          enter(callees[top.next++]);
        } else {
          state[key_of(*top.function)] = State::kDone;
          stack.pop_back();
        }
      }
    }
  }

  template <class Stack>
  void report_cycle(const Stack& stack, const onnx::FunctionProto* first) {
    std::string text;
    bool on = false;
    for (const auto& frame : stack) {
      on = on || frame.function == first;
      if (on) text += "'" + op_name(frame.function->domain(), frame.function->name()) + "' -> ";
    }
    text += "'" + op_name(first->domain(), first->name()) + "'";
    findings_.fault(function_place(file_.name, *first), "it calls itself: " + text);
  }

  read::ModelFile& file_;
  Findings& findings_;
  weights::ExternalRanges ranges_;
  std::map<FunctionKey, const onnx::FunctionProto*> functions_;
  std::map<FunctionKey, std::vector<const onnx::FunctionProto*>> calls_;
};

}  // namespace

void check_structure(read::ModelFile& file, Opsets& opsets, Findings& findings) {
  Walk(file, findings).run(opsets);
}

}  // namespace onnx2fx::prepare
