// What the rules of raise_modules look at (Calls, parameters, uses) and what they answer (Raised).
#ifndef ONNX2FX_CORE_FX_MODULE_RAISER_HPP_
#define ONNX2FX_CORE_FX_MODULE_RAISER_HPP_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/fx/schema.hpp"
#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::fx {

/// A class of nn_modules.def: kLinear.
enum class NnClass : uint8_t {
#define NN_MODULE(name) k##name,
#include "core/fx/nn_modules.def"
};
std::string_view name_of(NnClass type);
/// "nn.Linear"; "Conv1D", which is not of torch.nn.
std::string qualified(std::string_view type);

/// One call of the root program with its arguments by name.
struct Call {
  uint32_t node;
  const Schema* schema;
  std::vector<std::optional<Argument>> arguments;

  /// None where it is left out.
  const Argument& operator[](std::string_view name) const;
  bool is_training(std::string_view name) const { return (*this)[name].as<Training>() != nullptr; }
  std::optional<int64_t> integer(std::string_view name) const;
  std::optional<double> number(std::string_view name) const;
  /// Literal integers; "int[n]" given as one value is repeated to `count` (0: as it is).
  std::optional<std::vector<int64_t>> integers(std::string_view name, size_t count = 0) const;
};

/// A tensor that a call reads through get_attr, possibly through a view of it.
struct Operand {
  uint32_t tensor;
  std::vector<int64_t> dims;  ///< as the call sees it
  bool swapped = false;       ///< the call sees .t() of the stored one
  bool reshaped = false;      ///< the call sees it with other dims, same order of elements
};

/// The module that a call becomes.
struct Raised {
  NnClass type;
  std::vector<NamedArgument> arguments;
  std::vector<Submodule::TensorUse> tensors;
  std::vector<Argument> inputs;        ///< of the call_module
  uint32_t result;                     ///< node that it replaces
  std::vector<Operand> reshaped = {};  ///< tensors that are stored with these dims from now on
  std::optional<uint32_t> promoted =
      {};  ///< constant that becomes a parameter, as trainable as the first tensor
  /// A reshape that makes rows of the input gives it this shape from now on.
  std::optional<std::pair<uint32_t, List>> rows = {};
  bool nested_state = false;  ///< returns (output, (h, c)) where the call returned (output, h, c)
};

/// How many of these read the .t() of each tensor.
std::map<uint32_t, size_t> transposed_reads(const std::vector<Raised>& all);

class ModuleRaiser {
 public:
  using Rule = std::optional<Raised> (*)(const ModuleRaiser&, const Call&);

  ModuleRaiser(Module& module, const std::map<std::string_view, Rule>& rules);
  void run();

  const Node& node(uint32_t index) const { return root_.nodes[index]; }
  const Tensor& tensor(uint32_t index) const { return module_.tensors[index]; }
  /// Operand behind a node; nullopt where it is no tensor of that role.
  std::optional<Operand> operand(const Argument& a, Role role) const;
  std::optional<Operand> parameter(const Argument& a) const { return operand(a, Role::kParameter); }
  /// The same, only as stored.
  std::optional<Operand> stored(const Argument& a, Role role = Role::kParameter) const;
  /// Rank and dims of a node's result; nullopt: unknown.
  std::optional<std::vector<std::string>> shape(const Argument& a) const;
  const std::vector<uint32_t>& users(uint32_t node) const { return users_[node]; }
  /// Mentions of a tensor in calls of the root, views of it followed.
  size_t readers_of(uint32_t tensor) const { return readers_[tensor]; }

 private:
  std::optional<Call> call_of(uint32_t node) const;
  std::optional<Operand> view(uint32_t node, Role role) const;
  bool is_view(uint32_t node) const;
  /// Mentions of a node in calls, views of it followed.
  size_t readers(uint32_t node) const;
  void drop_conflicts(std::vector<Raised>& all) const;
  void rewrite(const std::vector<Raised>& all, const std::vector<uint32_t>& submodules);
  void nest_states(const std::vector<Raised>& all);

  Module& module_;
  Program& root_;
  const std::map<std::string_view, Rule>& rules_;
  std::vector<std::vector<uint32_t>> users_;  ///< of each node, one entry per mention
  std::vector<size_t> readers_;               ///< of each tensor
};

}  // namespace onnx2fx::fx

#endif
