#include "core/write/graph_json.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/write/type_json.hpp"
#include "onnx2fx/diagnostic.hpp"
#include "onnx2fx/version.hpp"

namespace onnx2fx::write {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

// Names in ONNX files are bytes; what is no UTF-8 becomes U+FFFD.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

Json number(double f) {
  if (std::isnan(f)) return {{"float", "nan"}};
  if (std::isinf(f)) return {{"float", f > 0 ? "inf" : "-inf"}};
  return f;
}

const char* name_of(fx::Op op) {
  static constexpr const char* kNames[] = {"placeholder", "get_attr", "call_function",
                                           "call_module", "output"};
  return kNames[static_cast<size_t>(op)];
}

std::string_view name_of(Weights weights) {
  return weights ? weights::kModeWords[static_cast<size_t>(*weights)] : "memory";
}

const char* name_of(fx::Role role) {
  return role == fx::Role::kParameter ? "parameter"
         : role == fx::Role::kBuffer  ? "buffer"
                                      : "constant";
}

Json object(const std::vector<std::pair<std::string, std::string>>& texts) {
  Json o = Json::object();
  for (auto& [key, value] : texts) o[key] = value;
  return o;
}

class GraphWriter {
 public:
  GraphWriter(const fx::Module& module, const GraphOptions& options)
      : module_(module), options_(options) {
    // In process the index is the one that Conversion knows the file by.
    if (!options.weights)
      for (uint32_t i = 0; i < module.sources.size(); ++i) index_of(i);
  }

  // One line for each node, tensor, module: a diff of two packages can be read.
  std::string text() {
    Json head = {{"format", "onnx2fx.graph"},
                 {"version", "1.2"},
                 {"generator", std::string("onnx2fx ") + kVersion},
                 {"dialect", fx::kDialectWords[static_cast<size_t>(module_.dialect)]},
                 {"weights", name_of(options_.weights)}};
    if (module_.weights_layout != fx::WeightsLayout::kContiguous)
      head["weights_layout"] = fx::kWeightsLayoutWords[static_cast<size_t>(module_.weights_layout)];
    for (auto& [key, value] : head.items())
      text_ += (text_.empty() ? "{\n\"" : ",\n\"") + key + "\": " + dump(value);
    lines("inputs", module_.inputs, [&](const fx::Port& p) { return dump(port(p)); });
    lines("outputs", module_.outputs, [&](const fx::Port& p) { return dump(port(p)); });
    lines("programs", module_.programs, [&](const fx::Program& p) { return program(p); });
    lines("tensors", module_.tensors, [&](const fx::Tensor& t) { return dump(tensor(t)); });
    lines("modules", module_.modules, [&](const fx::Submodule& m) { return dump(submodule(m)); });
    lines("sources", sources_, [&](uint32_t s) { return dump(source(module_.sources[s])); });
    lines("provenance", provenance_, [&](const fx::Provenance* p) { return dump(provenance(*p)); });
    if (!module_.torch_libraries.empty())
      lines("torch_libraries", module_.torch_libraries,
            [](const fx::TorchLibrary& l) { return dump(torch_library(l)); });
    text_ += ",\n\"metadata\": " + dump(object(module_.metadata)) + "\n}\n";
    return std::move(text_);
  }

 private:
  template <class Items, class F>
  void lines(const char* key, const Items& items, F&& line) {
    text_ += std::string(",\n\"") + key + "\": [";
    for (size_t i = 0; i < items.size(); ++i) text_ += (i ? ",\n" : "\n") + line(items[i]);
    text_ += "]";
  }

  Json port(const fx::Port& p) {
    Json j = {{"name", p.name}, {"onnx_name", p.onnx_name}};
    j.update(type_json(p.type));
    return j;
  }

  std::string program(const fx::Program& p) {
    std::string s = "{\"name\": " + dump(p.name) + ", \"nodes\": [";
    for (size_t i = 0; i < p.nodes.size(); ++i) s += (i ? ",\n" : "\n") + dump(node(p, p.nodes[i]));
    return s + "]}";
  }

  Json node(const fx::Program& p, const fx::Node& n) {
    Json j = {{"op", name_of(n.op)}, {"name", n.name}};
    if (n.op == fx::Op::kCallFunction) j["target"] = n.target;
    if (n.tensor) j["tensor"] = *n.tensor;
    if (n.module) j["module"] = *n.module;
    if (n.op != fx::Op::kPlaceholder && n.op != fx::Op::kGetAttr) j["args"] = argument(p, n.args);
    if (!n.kwargs.empty()) j["kwargs"] = arguments(p, n.kwargs);
    if (n.onnx) j["onnx"] = index_of(n.onnx.get());
    if (!n.meta.empty()) j["meta"] = arguments(p, n.meta);
    if (!n.type.dtype.empty() || n.type.shape) j["type"] = type_json(n.type);
    return j;
  }

  Json arguments(const fx::Program& p, const std::vector<fx::NamedArgument>& named) {
    Json j = Json::object();
    for (auto& [name, value] : named) j[name] = argument(p, value);
    return j;
  }

  Json argument(const fx::Program& p, const fx::List& list) {
    Json j = Json::array();
    for (const fx::Argument& x : list) j.push_back(argument(p, x));
    return j;
  }

  Json argument(const fx::Program& p, const fx::Argument& a) {
    return std::visit(Overloaded{
                          [](std::monostate) { return Json(); },
                          [](bool b) { return Json(b); },
                          [](int64_t i) { return Json(i); },
                          [](double f) { return number(f); },
                          [](const std::string& s) { return Json(s); },
                          [&](fx::NodeRef r) {
                            return Json{{"node", p.nodes.at(r.index).name}};
                          },
                          [&](fx::ProgramRef r) {
                            return Json{{"program", module_.programs.at(r.index).name}};
                          },
                          [](const fx::Dtype& d) {
                            return Json{{"dtype", d.name}};
                          },
                          [](const fx::Device& d) {
                            return Json{{"device", d.name}};
                          },
                          [](const fx::Layout& l) {
                            return Json{{"layout", l.name}};
                          },
                          [](const fx::MemoryFormat& m) {
                            return Json{{"memory_format", m.name}};
                          },
                          [](fx::Training) {
                            return Json{{"training", true}};
                          },
                          [&](fx::DeviceOf d) {
                            return Json{{"device_of", p.nodes.at(d.tensor.index).name}};
                          },
                          [&](const fx::List& l) { return argument(p, l); },
                          [&](const fx::Slice& s) {
                            return Json{{"slice", argument(p, s.bounds)}};
                          },
                      },
                      a.value);
  }

  Json tensor(const fx::Tensor& t) {
    Json j = {{"name", t.name},  {"path", t.path},          {"dtype", t.dtype},
              {"shape", t.dims}, {"role", name_of(t.role)}, {"requires_grad", t.requires_grad},
              {"data", data(t)}};
    if (t.transposed) j["transposed"] = true;
    return j;
  }

  Json data(const fx::Tensor& t) {
    if (is_copied(t, options_.weights)) return {{"safetensors", t.path}};
    if (const fx::FileRange* range = std::get_if<fx::FileRange>(&t.data.where)) {
      return {{"source", index_of(range->source)},
              {"offset", range->offset},
              {"length", range->length}};
    }
    bool in_memory = !std::holds_alternative<std::monostate>(t.data.where);
    return in_memory ? Json{{"memory", memory_++}} : Json();
  }

  Json submodule(const fx::Submodule& m) {
    static const fx::Program kNoNodes;
    Json tensors = Json::array();
    for (const fx::Submodule::TensorUse& u : m.tensors) {
      Json use = {{"attribute", u.attribute}, {"tensor", u.tensor}};
      if (u.transposed) use["transposed"] = true;
      tensors.push_back(use);
    }
    Json j = {{"path", m.path},
              {"type", m.type},
              {"args", arguments(kNoNodes, m.arguments)},
              {"tensors", tensors}};
    if (m.program) j["program"] = module_.programs.at(m.program->index).name;
    return j;
  }

  static Json torch_library(const fx::TorchLibrary& l) {
    Json j = {{"file", l.file}, {"plugin", l.plugin}, {"version", l.version}};
    if (!l.sha256.empty()) j["sha256"] = l.sha256;
    if (!l.min_torch.empty()) j["min_torch"] = l.min_torch;
    j["targets"] = l.targets;
    return j;
  }

  Json source(const fx::Source& s) {
    // An empty path is a model in memory: in process only.
    fs::path path = s.path.empty() ? fs::path() : fs::absolute(s.path).lexically_normal();
    Json j = {
        {"path", path.string()}, {"relative", nullptr}, {"size", s.size}, {"mtime_ns", nullptr}};
    if (options_.folder.empty()) return j;
    struct stat status;
    if (::stat(path.c_str(), &status) != 0) {
      throw ConversionError(path.string(),
                            std::string("expected the model's file, got: ") + std::strerror(errno));
    }
    j["relative"] =
        path.lexically_relative(fs::absolute(options_.folder).lexically_normal()).string();
    j["mtime_ns"] = s.mtime_ns;  // not of what lies there by now
    return j;
  }

  Json provenance(const fx::Provenance& p) {
    Json j = {{"name", p.name},
              {"op_type", p.op_type},
              {"domain", p.domain},
              {"opset", p.opset},
              {"outputs", p.outputs}};
    if (!p.overload.empty()) j["overload"] = p.overload;
    if (!p.function_path.empty()) j["function_path"] = p.function_path;
    if (!p.metadata_props.empty()) j["metadata_props"] = object(p.metadata_props);
    j["plugin"] = p.plugin;
    j["plugin_version"] = p.plugin_version;
    return j;
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
  std::string text_;
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
