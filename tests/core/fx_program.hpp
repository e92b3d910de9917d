// Builds small FX modules by hand for tests.
#ifndef ONNX2FX_TESTS_CORE_FX_PROGRAM_HPP_
#define ONNX2FX_TESTS_CORE_FX_PROGRAM_HPP_

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::fx {

/// One root program; nodes are named after what they are unless a name is given.
class ProgramBuilder {
 public:
  ProgramBuilder() { module_.programs = {{"root", {}}}; }

  NodeRef input(const std::string& name, std::vector<std::string> shape) {
    module_.inputs.push_back({name, name, {"float32", shape}});
    return add(
        {Op::kPlaceholder, name, name, {}, {}, {}, {}, {}, {}, {"float32", std::move(shape)}});
  }

  /// A get_attr of a new float32 tensor whose elements are 1/2, 1/3, 1/4... in both senses.
  NodeRef weight(const std::string& name, std::vector<int64_t> dims, Role role = Role::kParameter) {
    std::string bytes;
    int64_t count = 1;
    for (int64_t d : dims) count *= d;
    for (int64_t i = 0; i < count; ++i) {
      float f =
          (i % 3 == 1 && role == Role::kParameter ? -1.0f : 1.0f) / static_cast<float>(i % 17 + 2);
      bytes.append(reinterpret_cast<const char*>(&f), sizeof f);
    }
    module_.tensors.push_back({name,
                               "",
                               "float32",
                               std::move(dims),
                               role,
                               role == Role::kParameter,
                               {std::make_shared<const std::string>(std::move(bytes))}});
    return again(static_cast<uint32_t>(module_.tensors.size() - 1));
  }

  /// Another get_attr of tensor `index`.
  NodeRef again(uint32_t index) {
    Node n{Op::kGetAttr, next_name('w')};
    n.tensor = index;
    return add(std::move(n));
  }

  NodeRef call(const std::string& target, std::vector<Argument> args,
               std::vector<NamedArgument> kwargs = {}, std::vector<std::string> shape = {},
               const std::string& onnx_name = "") {
    Node n{Op::kCallFunction, next_name('n'), target, std::move(args), std::move(kwargs)};
    if (!shape.empty()) n.type = {"float32", std::move(shape)};
    if (!onnx_name.empty()) {
      Provenance p;
      p.name = onnx_name;
      n.onnx = std::make_shared<const Provenance>(std::move(p));
    }
    return add(std::move(n));
  }

  Module finish(List results) {
    for (const Argument& r : results) {
      const std::string& name = nodes()[r.as<NodeRef>()->index].name;
      module_.outputs.push_back({name, name, {}});
    }
    add({Op::kOutput, "output", "", {std::move(results)}});
    return std::move(module_);
  }

  Module& module() { return module_; }

 private:
  std::vector<Node>& nodes() { return module_.programs[0].nodes; }
  std::string next_name(char kind) {
    return std::string(1, kind).append(std::to_string(nodes().size()));
  }
  NodeRef add(Node n) {
    nodes().push_back(std::move(n));
    return {static_cast<uint32_t>(nodes().size() - 1)};
  }

  Module module_;
};

inline List ints(std::initializer_list<int64_t> values) {
  return List(values.begin(), values.end());
}

}  // namespace onnx2fx::fx

#endif
