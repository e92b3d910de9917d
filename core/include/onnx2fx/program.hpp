// The FX program: torch.fx one to one, without Python. A Module is what a conversion makes:
// programs (the root and the operands of higher-order operators), the tensors they use, and, after
// raise_modules, the nn modules. Knows neither protobuf nor LibTorch.
#ifndef ONNX2FX_PROGRAM_HPP_
#define ONNX2FX_PROGRAM_HPP_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace onnx2fx::fx {

/// Index of a node in its Program::nodes.
struct NodeRef {
  uint32_t index;
  bool operator==(const NodeRef&) const = default;
};
/// Index into Module::programs.
struct ProgramRef {
  uint32_t index;
  bool operator==(const ProgramRef&) const = default;
};
/// torch dtype by name: "float32".
struct Dtype {
  std::string name;
  bool operator==(const Dtype&) const = default;
};
struct Device {
  std::string name;
  bool operator==(const Device&) const = default;
};
struct Layout {
  std::string name;
  bool operator==(const Layout&) const = default;
};
struct MemoryFormat {
  std::string name;
  bool operator==(const MemoryFormat&) const = default;
};
/// "Is the module in train()".
struct Training {
  bool operator==(const Training&) const = default;
};
/// `tensor.device`.
struct DeviceOf {
  NodeRef tensor;
  bool operator==(const DeviceOf&) const = default;
};

struct Argument;
using List = std::vector<Argument>;
/// Python's slice(start, stop, step): three bounds, None, literals or numbers of the graph.
struct Slice {
  List bounds;
  bool operator==(const Slice&) const = default;
};

/// What may stand in args and kwargs. monostate is None.
struct Argument {
  using Variant =
      std::variant<std::monostate, bool, int64_t, double, std::string, NodeRef, ProgramRef, Dtype,
                   Device, Layout, MemoryFormat, Training, DeviceOf, List, Slice>;
  Variant value;

  Argument() = default;
  template <class T>
  requires(!std::is_same_v<std::decay_t<T>, Argument>) Argument(T&& v)
      : value(std::forward<T>(v)) {}
  template <class T>
  const T* as() const {
    return std::get_if<T>(&value);
  }
  template <class T>
  T* as() {
    return std::get_if<T>(&value);
  }
  bool is_none() const { return std::holds_alternative<std::monostate>(value); }
  bool operator==(const Argument&) const = default;
};
using NamedArgument = std::pair<std::string, Argument>;

/// Calls `f(NodeRef&)` for each node that the argument mentions (also inside lists, slices,
/// DeviceOf).
template <class F>
void for_each_ref(Argument& a, F&& f) {
  if (NodeRef* r = a.as<NodeRef>()) {
    f(*r);
  } else if (DeviceOf* d = a.as<DeviceOf>()) {
    f(d->tensor);
  } else if (List* l = a.as<List>()) {
    for (Argument& x : *l) for_each_ref(x, f);
  } else if (Slice* s = a.as<Slice>()) {
    for (Argument& x : s->bounds) for_each_ref(x, f);
  }
}
template <class F>
void for_each_ref(const Argument& a, F&& f) {
  for_each_ref(const_cast<Argument&>(a), [&](NodeRef& r) { f(static_cast<const NodeRef&>(r)); });
}

/// The ONNX node that an FX node comes from; one object per ONNX node.
struct Provenance {
  std::string name, op_type, domain, overload;
  int64_t opset = 0;
  std::vector<std::string> outputs;
  std::vector<std::pair<std::string, std::string>> metadata_props;
  std::string function_path;  ///< "outer/inner": the functions it was expanded from; empty in the
                              ///< graph itself
  std::string plugin, plugin_version;
};

/// What is known of a node's result, for readers of graph.json. Dims are literals or symbolic text.
struct TypeText {
  std::string dtype;                              ///< torch name; empty: unknown or no tensor
  std::optional<std::vector<std::string>> shape;  ///< nullopt: rank unknown
};

enum class Op : uint8_t { kPlaceholder, kGetAttr, kCallFunction, kCallModule, kOutput };

struct Node {
  Op op = Op::kCallFunction;
  std::string name;  ///< identifier, unique in its program
  /// placeholder: its name. get_attr: empty, see tensor / program. call_function:
  /// "aten::add.Tensor", "operator::mul", "higher_order::cond", "onnx2fx::loop", "torch::relu" (nn
  /// dialect). call_module: empty, see module.
  std::string target;
  std::vector<Argument> args;  ///< output: exactly one
  std::vector<NamedArgument> kwargs;
  std::optional<uint32_t> tensor;          ///< get_attr: index into Module::tensors
  std::optional<uint32_t> module;          ///< call_module: index into Module::modules
  std::shared_ptr<const Provenance> onnx;  ///< null for placeholders, weights
  std::vector<NamedArgument> meta;         ///< meta["onnx2fx"], set by plugins (no NodeRefs)
  TypeText type;
};

/// Calls `f(NodeRef&)` for each node that the node's args and kwargs mention.
template <class F>
void for_each_ref(Node& n, F&& f) {
  for (Argument& a : n.args) for_each_ref(a, f);
  for (NamedArgument& a : n.kwargs) for_each_ref(a.second, f);
}
template <class F>
void for_each_ref(const Node& n, F&& f) {
  for_each_ref(const_cast<Node&>(n), [&](NodeRef& r) { f(static_cast<const NodeRef&>(r)); });
}

/// Nodes in order of execution: placeholders first, one output node last.
struct Program {
  std::string name;
  std::vector<Node> nodes;
};

enum class Role : uint8_t { kParameter = 1, kBuffer = 2, kConstant = 3 };

/// Bytes of a tensor: a range of a source file, bytes in memory, or none (weightless).
struct FileRange {
  uint32_t source;  ///< index into Module::sources
  uint64_t offset, length;
};
struct TensorData {
  std::variant<std::monostate, FileRange, std::shared_ptr<const std::string>> where;
};

struct Tensor {
  std::string name;   ///< of the initializer, or the hint of the lowering that made it
  std::string path;   ///< attribute path in the root module: "encoder.layer.0.weight"; unique
  std::string dtype;  ///< torch name of the elements as stored here
  std::vector<int64_t> dims;
  Role role = Role::kConstant;
  bool requires_grad = false;
  TensorData data;               ///< C order, little-endian, dtype as above
  std::string role_because;      ///< "exporter: fc.weight of its graph signature", "plugin", ...
  bool named_by_author = false;  ///< the name is the tensor's path in the original torch module
  std::string transposed_of;     ///< that of the parameter that this is the .t() of; empty: unknown
  bool transposed = false;       ///< get_attr nodes read the .t() view of what is stored
};

/// Gives the stored bytes of a tensor of a module: C order, little-endian, in the tensor's own
/// dtype; none of a tensor without data (weightless).
using TensorBytes = std::function<std::span<const uint8_t>(const Tensor&)>;

/// A file that holds tensor bytes.
struct Source {
  std::string path;  ///< as opened
  uint64_t size = 0;
  int64_t mtime_ns = 0;  ///< time of its last change when it was opened, since 1970
};

/// One nn module, made by raise_modules; or a block: a module of the author's that is a program of
/// its own, made by nest_blocks, which holds what lies below its path.
struct Submodule {
  std::string path;                      ///< in the root module: "encoder.layer.0"
  std::string type;                      ///< class in torch.nn: "Linear"; of a block the author's
  std::vector<NamedArgument> arguments;  ///< of the constructor; no NodeRefs
  struct TensorUse {
    std::string attribute;    ///< "weight"
    uint32_t tensor;          ///< index into Module::tensors; its path is Submodule::path + "." +
                              ///< attribute, or tied to another
    bool transposed = false;  ///< the module's tensor is the .t() view of the stored one
  };
  std::vector<TensorUse> tensors;
  std::optional<ProgramRef> program = {};  ///< of a block
};

/// An input or output of the model.
struct Port {
  std::string name;  ///< placeholder identifier; for outputs the ONNX name made an identifier
  std::string onnx_name;
  TypeText type;
};

/// A library that registers torch operators of a pack, which the programs call.
struct TorchLibrary {
  std::string file;                  ///< its name, without a folder
  std::string plugin, version;       ///< whose it is
  std::string sha256;                ///< empty: it was not there when the model was converted
  std::string min_torch;             ///< oldest torch that runs it, "2.10"; empty: not stated
  std::vector<std::string> targets;  ///< those of its operators that are called
};

/// "clip_torch.so of com.acme.clip 1.0.0 (sha256 9f86..., torch 2.10 or later)".
inline std::string described(const TorchLibrary& l) {
  std::string facts = l.sha256.empty() ? "" : "sha256 " + l.sha256;
  if (!l.min_torch.empty())
    facts += (facts.empty() ? "torch " : ", torch ") + l.min_torch + " or later";
  return l.file + " of " + l.plugin + " " + l.version +
         (facts.empty() ? facts : " (" + facts + ")");
}

enum class Dialect : uint8_t { kNn, kAten };
/// By dialect.
inline constexpr std::string_view kDialectWords[] = {"nn", "aten"};

/// Of weights that the model stores transposed to how a module holds them, once it is loaded.
enum class WeightsLayout : uint8_t {
  kContiguous,  ///< laid out anew: memory of their size
  kView         ///< `.t()` of what the file holds; not every tool takes such a parameter
};
/// By layout.
inline constexpr std::string_view kWeightsLayoutWords[] = {"contiguous", "view"};

struct Module {
  Dialect dialect = Dialect::kAten;
  WeightsLayout weights_layout = WeightsLayout::kContiguous;
  std::vector<Program> programs;  ///< [0] is the root
  std::vector<Tensor> tensors;
  std::vector<Submodule> modules;
  std::vector<Source> sources;
  std::vector<Port> inputs, outputs;
  std::vector<TorchLibrary> torch_libraries;
  /// Of composites that take the place of their parts: name ("gelu") and how many.
  std::map<std::string, uint32_t> recovered;
  /// Modules of the author's that got no block: path, and why.
  std::vector<std::pair<std::string, std::string>> open_blocks;
  std::vector<std::pair<std::string, std::string>>
      metadata;  ///< of the ONNX model: producer, metadata_props ("model."/"graph." prefixed)
};

}  // namespace onnx2fx::fx

#endif
