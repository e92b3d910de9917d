#include "core/write/graph_json.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <unordered_map>

#include "core/write/json_text.hpp"
#include "core/write/type_json.hpp"
#include "onnx2fx/diagnostic.hpp"
#include "onnx2fx/version.hpp"

namespace onnx2fx::write {
namespace {

namespace fs = std::filesystem;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

std::string_view name_of(fx::Op op) {
  static constexpr std::string_view kNames[] = {"placeholder", "get_attr", "call_function",
                                                "call_module", "output"};
  return kNames[static_cast<size_t>(op)];
}

std::string_view name_of(Weights weights) {
  return weights ? weights::kModeWords[static_cast<size_t>(*weights)] : "memory";
}

std::string_view name_of(fx::Role role) {
  return role == fx::Role::kParameter ? "parameter"
         : role == fx::Role::kBuffer  ? "buffer"
                                      : "constant";
}

class GraphWriter {
 public:
  GraphWriter(const fx::Module& module, const GraphOptions& options)
      : module_(module), options_(options) {
    // In process the index is the one that Conversion knows the file by.
    if (!options.weights)
      for (uint32_t i = 0; i < module.sources.size(); ++i) index_of(i);
  }

  std::string text() {
    DocumentText d;
    d.add("format", std::string_view("onnx2fx.graph"));
    d.add("version", std::string_view("1.2"));
    d.add("generator", std::string("onnx2fx ") + kVersion);
    d.add("dialect", fx::kDialectWords[static_cast<size_t>(module_.dialect)]);
    d.add("weights", name_of(options_.weights));
    if (module_.weights_layout != fx::WeightsLayout::kContiguous)
      d.add("weights_layout", fx::kWeightsLayoutWords[static_cast<size_t>(module_.weights_layout)]);
    d.add_lines("inputs", module_.inputs, port);
    d.add_lines("outputs", module_.outputs, port);
    d.add_lines("programs", module_.programs, [&](const fx::Program& p) { return program(p); });
    d.add_lines("tensors", module_.tensors, [&](const fx::Tensor& t) { return tensor(t); });
    d.add_lines("modules", module_.modules, [&](const fx::Submodule& m) { return submodule(m); });
    d.add_lines("sources", sources_, [&](uint32_t s) { return source(module_.sources[s]); });
    d.add_lines("provenance", provenance_, [](const fx::Provenance* p) { return provenance(*p); });
    if (!module_.torch_libraries.empty())
      d.add_lines("torch_libraries", module_.torch_libraries, torch_library);
    d.add_json("metadata", json_object(module_.metadata));
    return std::move(d).text();
  }

 private:
  static std::string port(const fx::Port& p) {
    ObjectText o;
    o.add("name", p.name).add("onnx_name", p.onnx_name);
    add_type(o, p.type);
    return o.text();
  }

  std::string program(const fx::Program& p) {
    const auto line = [&](const fx::Node& n) { return node(p, n); };
    return "{\"name\": " + json(p.name) + ", \"nodes\": " + json(p.nodes, line, "\n") + "}";
  }

  std::string node(const fx::Program& p, const fx::Node& n) {
    ObjectText o;
    o.add("op", name_of(n.op)).add("name", n.name);
    if (n.op == fx::Op::kCallFunction) o.add("target", n.target);
    if (n.tensor) o.add("tensor", *n.tensor);
    if (n.module) o.add("module", *n.module);
    if (n.op != fx::Op::kPlaceholder && n.op != fx::Op::kGetAttr)
      o.add_json("args", argument(p, n.args));
    if (!n.kwargs.empty()) o.add_json("kwargs", arguments(p, n.kwargs));
    if (n.onnx) o.add("onnx", index_of(n.onnx.get()));
    if (!n.meta.empty()) o.add_json("meta", arguments(p, n.meta));
    if (!n.type.dtype.empty() || n.type.shape) o.add_json("type", type_json(n.type));
    return o.text();
  }

  std::string arguments(const fx::Program& p, const std::vector<fx::NamedArgument>& named) {
    ObjectText o;
    for (auto& [name, value] : named) o.add_json(name, argument(p, value));
    return o.text();
  }

  std::string argument(const fx::Program& p, const fx::List& list) {
    return json(list, [&](const fx::Argument& x) { return argument(p, x); });
  }

  std::string argument(const fx::Program& p, const fx::Argument& a) {
    const auto named = [](std::string_view key, const auto& value) {
      return ObjectText().add(key, value).text();
    };
    return std::visit(
        Overloaded{
            [](std::monostate) { return std::string("null"); },
            [](bool b) { return json(b); },
            [](int64_t i) { return json(i); },
            [](double f) { return json(f); },
            [](const std::string& s) { return json(s); },
            [&](fx::NodeRef r) { return named("node", p.nodes.at(r.index).name); },
            [&](fx::ProgramRef r) { return named("program", module_.programs.at(r.index).name); },
            [&](const fx::Dtype& d) { return named("dtype", d.name); },
            [&](const fx::Device& d) { return named("device", d.name); },
            [&](const fx::Layout& l) { return named("layout", l.name); },
            [&](const fx::MemoryFormat& m) { return named("memory_format", m.name); },
            [&](fx::Training) { return named("training", true); },
            [&](fx::DeviceOf d) { return named("device_of", p.nodes.at(d.tensor.index).name); },
            [&](const fx::List& l) { return argument(p, l); },
            [&](const fx::Slice& s) {
              return ObjectText().add_json("slice", argument(p, s.bounds)).text();
            },
        },
        a.value);
  }

  std::string tensor(const fx::Tensor& t) {
    ObjectText o;
    o.add("name", t.name).add("path", t.path).add("dtype", t.dtype).add("shape", t.dims);
    o.add("role", name_of(t.role)).add("requires_grad", t.requires_grad);
    o.add_json("data", data(t));
    if (t.transposed) o.add("transposed", true);
    return o.text();
  }

  std::string data(const fx::Tensor& t) {
    ObjectText o;
    if (is_copied(t, options_.weights)) return o.add("safetensors", t.path).text();
    if (const fx::FileRange* range = std::get_if<fx::FileRange>(&t.data.where)) {
      o.add("source", index_of(range->source)).add("offset", range->offset);
      return o.add("length", range->length).text();
    }
    bool in_memory = !std::holds_alternative<std::monostate>(t.data.where);
    return in_memory ? o.add("memory", memory_++).text() : "null";
  }

  std::string submodule(const fx::Submodule& m) {
    static const fx::Program kNoNodes;
    ObjectText o;
    o.add("path", m.path).add("type", m.type).add_json("args", arguments(kNoNodes, m.arguments));
    o.add_json("tensors", json(m.tensors, [](const fx::Submodule::TensorUse& u) {
                 ObjectText use;
                 use.add("attribute", u.attribute).add("tensor", u.tensor);
                 if (u.transposed) use.add("transposed", true);
                 return use.text();
               }));
    if (m.program) o.add("program", module_.programs.at(m.program->index).name);
    return o.text();
  }

  static std::string torch_library(const fx::TorchLibrary& l) {
    ObjectText o;
    o.add("file", l.file).add("plugin", l.plugin).add("version", l.version);
    if (!l.sha256.empty()) o.add("sha256", l.sha256);
    if (!l.min_torch.empty()) o.add("min_torch", l.min_torch);
    return o.add("targets", l.targets).text();
  }

  std::string source(const fx::Source& s) {
    // An empty path is a model in memory: in process only.
    const fs::path path = s.path.empty() ? fs::path() : fs::absolute(s.path).lexically_normal();
    const bool is_file = !options_.folder.empty();
    struct stat status;
    if (is_file && ::stat(path.c_str(), &status) != 0) {
      throw ConversionError(path.string(),
                            std::string("expected the model's file, got: ") + std::strerror(errno));
    }
    const auto relative = [&] {
      return path.lexically_relative(fs::absolute(options_.folder).lexically_normal()).string();
    };
    ObjectText o;
    o.add("path", path.string()).add_json("relative", is_file ? json(relative()) : "null");
    o.add("size", s.size);
    // not of what lies there by now
    return o.add_json("mtime_ns", is_file ? json(s.mtime_ns) : "null").text();
  }

  static std::string provenance(const fx::Provenance& p) {
    ObjectText o;
    o.add("name", p.name).add("op_type", p.op_type).add("domain", p.domain).add("opset", p.opset);
    o.add("outputs", p.outputs);
    if (!p.overload.empty()) o.add("overload", p.overload);
    if (!p.function_path.empty()) o.add("function_path", p.function_path);
    if (!p.metadata_props.empty()) o.add_json("metadata_props", json_object(p.metadata_props));
    return o.add("plugin", p.plugin).add("plugin_version", p.plugin_version).text();
  }

  size_t index_of(uint32_t source) {
    auto [place, added] = source_index_.try_emplace(source, sources_.size());
    if (added) sources_.push_back(source);
    return place->second;
  }

  size_t index_of(const fx::Provenance* p) {
    auto [place, added] = provenance_index_.try_emplace(p, provenance_.size());
    if (added) provenance_.push_back(p);
    return place->second;
  }

  const fx::Module& module_;
  const GraphOptions& options_;
  size_t memory_ = 0;
  std::vector<uint32_t> sources_;  // those that are used, by index in the module
  std::map<uint32_t, size_t> source_index_;
  std::vector<const fx::Provenance*> provenance_;
  std::unordered_map<const fx::Provenance*, size_t> provenance_index_;
};

}  // namespace

std::string graph_json(const fx::Module& module, const GraphOptions& options) {
  return GraphWriter(module, options).text();
}

std::vector<std::shared_ptr<const std::string>> memory_buffers(const fx::Module& module) {
  std::vector<std::shared_ptr<const std::string>> buffers;
  for (const fx::Tensor& t : module.tensors) {
    if (auto* bytes = std::get_if<std::shared_ptr<const std::string>>(&t.data.where))
      buffers.push_back(*bytes);
  }
  return buffers;
}

bool is_copied(const fx::Tensor& tensor, Weights weights) {
  if (!weights) return false;
  bool in_file = std::holds_alternative<fx::FileRange>(tensor.data.where);
  return !std::holds_alternative<std::monostate>(tensor.data.where) &&
         (!in_file || weights == weights::Mode::kCopy);
}

}  // namespace onnx2fx::write
