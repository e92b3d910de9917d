#include "core/write/report_json.hpp"

#include <nlohmann/json.hpp>

#include "core/include/onnx2fx/version.hpp"

namespace onnx2fx::write {

using Json = nlohmann::ordered_json;

static Json node(const Report::Node& n) {
  Json j{{"name", n.name},
         {"op_type", n.op_type},
         {"domain", n.domain},
         {"opset", n.opset},
         {"provider", n.provider}};
  if (!n.function_path.empty()) j["function"] = n.function_path;
  if (!n.declined.empty()) j["declined"] = n.declined;
  for (const auto& [key, text] : n.notes) j["notes"].push_back({{key, text}});
  return j;
}

Json model(const Conversion& c) {
  const auto names = [](const std::vector<fx::Port>& ports) {
    Json all = Json::array();
    for (const fx::Port& p : ports) all.push_back(p.onnx_name);
    return all;
  };
  return {{"file", c.report.model},
          {"inputs", names(c.module.inputs)},
          {"outputs", names(c.module.outputs)}};
}

Json report(const Conversion& c) {
  Json j{{"format", "onnx2fx.report"},
         {"version", "1.0"},
         {"generator", std::string("onnx2fx ") + kVersion},
         {"model", model(c)}};
  size_t calls = 0, parameters = 0, blocks = 0;
  for (const fx::Program& p : c.module.programs) calls += p.nodes.size();
  for (const fx::Tensor& t : c.module.tensors) parameters += t.requires_grad;
  for (const fx::Submodule& m : c.module.modules) blocks += m.program.has_value();
  j["summary"] = {{"onnx_nodes", c.report.nodes.size()},         {"fx_nodes", calls},
                  {"tensors", c.module.tensors.size()},          {"trainable", parameters},
                  {"modules", c.module.modules.size() - blocks}, {"blocks", blocks},
                  {"unsupported", c.report.unsupported.size()}};
  j["recovered"] = c.module.recovered;
  j["open_blocks"] = Json::object();
  for (const auto& [path, why] : c.module.open_blocks) j["open_blocks"][path] = why;
  j["plugins"] = Json::array();
  for (const auto& [id, version] : c.report.plugins)
    j["plugins"].push_back({{"id", id}, {"version", version}});
  j["warnings"] = Json::array();
  for (const Diagnostic& d : c.report.warnings) j["warnings"].push_back(format(d));
  j["unsupported"] = Json::array();
  for (const UnsupportedOperator& o : c.report.unsupported) {
    j["unsupported"].push_back({{"domain", o.domain},
                                {"op_type", o.op_type},
                                {"opset", o.opset},
                                {"nodes", o.nodes},
                                {"reasons", o.reasons}});
    if (!o.similar.empty()) j["unsupported"].back()["similar"] = o.similar;
  }
  j["names"] = Json::object();
  for (const auto& [path, name] : c.report.names) j["names"][path] = name;
  static constexpr const char* kRole[] = {"", "parameter", "buffer", "constant"};
  j["tensors"] = Json::array();
  for (const fx::Tensor& t : c.module.tensors)
    j["tensors"].push_back({{"name", t.name},
                            {"path", t.path},
                            {"role", kRole[static_cast<size_t>(t.role)]},
                            {"because", t.role_because}});
  j["nodes"] = Json::array();
  for (const Report::Node& n : c.report.nodes) j["nodes"].push_back(node(n));
  return j;
}

std::string report_json(const Conversion& conversion) {
  return report(conversion).dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace onnx2fx::write
