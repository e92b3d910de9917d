#include "tools/onnx2fx/inspection_json.hpp"

#include <nlohmann/json.hpp>

#include "core/write/report_json.hpp"
#include "core/write/type_json.hpp"

namespace onnx2fx::cli {
namespace {

using Json = nlohmann::ordered_json;

Json amount(const Amount& a) { return a ? Json(*a) : Json(nullptr); }

Json type(const fx::TypeText& t) { return Json::parse(write::type_json(t)); }

Json ports(const std::vector<fx::Port>& all) {
  Json j = Json::array();
  for (const fx::Port& p : all) {
    j.push_back({{"name", p.onnx_name}});
    j.back().update(type(p.type));
  }
  return j;
}

Json model(const Conversion& c) {
  Json j{{"file", c.report.model}};
  for (const auto& [key, text] : c.module.metadata)
    if (key.starts_with("producer_")) j[key] = text;
  j["opsets"] = Json::object();
  for (const auto& [domain, version] : c.report.opsets) j["opsets"][domain] = version;
  j["inputs"] = ports(c.module.inputs);
  j["outputs"] = ports(c.module.outputs);
  return j;
}

Json weights(const Weights& w) {
  return {{"tensors", w.tensors},
          {"elements", w.elements},
          {"bytes", w.bytes},
          {"dtypes", w.elements_by_dtype}};
}

Json cost(const ModelFacts& facts, const SymbolicSizes& sizes) {
  Json j{{"sizes", sizes.given()},
         {"needed", sizes.needed()},
         {"macs", amount(facts.costs.macs)},
         {"activation_bytes", amount(facts.costs.activation_bytes)},
         {"peak_activation_bytes", amount(facts.costs.peak_activation_bytes)},
         {"uncounted", Json::array()}};
  for (const auto& [node, why] : facts.costs.uncounted)
    j["uncounted"].push_back({{"node", node}, {"why", why}});
  return j;
}

Json layers(const ModelFacts& facts) {
  Json all = Json::array();
  for (const Layer& l : facts.layers)
    all.push_back({{"path", l.path},
                   {"class", l.type},
                   {"output", type(l.output)},
                   {"parameters", l.parameters},
                   {"macs", amount(l.macs)},
                   {"times", l.times}});
  return all;
}

Json modules(const ModelFacts& facts) {
  Json all = Json::array();
  for (const Part& p : facts.parts)
    all.push_back({{"path", p.path},
                   {"class", p.type.empty() ? Json(nullptr) : Json(p.type)},
                   {"parameters", p.parameters},
                   {"macs", amount(p.macs)}});
  return all;
}

void add_operators(const Report& report, Json& j) {
  const OperatorCounts counts(report);
  j["operators"] = Json::array();
  for (const auto& [row, count] : counts.lowered)
    j["operators"].push_back({{"domain", row.domain},
                              {"op_type", row.op_type},
                              {"opset", row.opset},
                              {"nodes", count},
                              {"provider", row.provider}});
  j["folded"] = counts.folded;
}

}  // namespace

std::string inspection_json(const Conversion& c, const ModelFacts& facts,
                            const SymbolicSizes& sizes) {
  const Json report = Json::parse(write::report_json(c));
  Json j{{"format", "onnx2fx.inspection"},
         {"version", "1.0"},
         {"generator", report["generator"]},
         {"model", model(c)}};
  j["parameters"] = weights(facts.parameters);
  j["parameters"]["trainable"] = facts.trainable;
  j["buffers"] = weights(facts.buffers);
  j["constants"] = weights(facts.constants);
  j["cost"] = cost(facts, sizes);
  j["layers"] = layers(facts);
  j["modules"] = modules(facts);
  add_operators(c.report, j);
  for (const auto& [key, value] : report.items())
    if (!j.contains(key)) j[key] = value;
  for (size_t i = 0; i < c.module.tensors.size(); ++i) {
    j["tensors"][i]["dtype"] = c.module.tensors[i].dtype;
    j["tensors"][i]["shape"] = c.module.tensors[i].dims;
  }
  return j.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace onnx2fx::cli
