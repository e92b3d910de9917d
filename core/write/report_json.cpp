#include "core/write/report_json.hpp"

#include "core/include/onnx2fx/version.hpp"
#include "core/write/json_text.hpp"

namespace onnx2fx::write {
namespace {

std::string node(const Report::Node& n) {
  ObjectText o;
  o.add("name", n.name).add("op_type", n.op_type).add("domain", n.domain).add("opset", n.opset);
  o.add("provider", n.provider);
  if (!n.function_path.empty()) o.add("function", n.function_path);
  if (!n.declined.empty()) o.add("declined", n.declined);
  if (!n.notes.empty())
    o.add_json("notes", json(n.notes, [](const auto& note) {
                 return ObjectText().add(note.first, note.second).text();
               }));
  return o.text();
}

std::string tensor(const fx::Tensor& t) {
  static constexpr std::string_view kRole[] = {"", "parameter", "buffer", "constant"};
  ObjectText o;
  o.add("name", t.name).add("path", t.path).add("role", kRole[static_cast<size_t>(t.role)]);
  return o.add("because", t.role_because).text();
}

std::string unsupported(const UnsupportedOperator& u) {
  ObjectText o;
  o.add("domain", u.domain).add("op_type", u.op_type).add("opset", u.opset);
  o.add("nodes", u.nodes).add("reasons", u.reasons);
  if (!u.similar.empty()) o.add("similar", u.similar);
  return o.text();
}

std::string summary(const Conversion& c) {
  size_t calls = 0, parameters = 0, blocks = 0;
  for (const fx::Program& p : c.module.programs) calls += p.nodes.size();
  for (const fx::Tensor& t : c.module.tensors) parameters += t.requires_grad;
  for (const fx::Submodule& m : c.module.modules) blocks += m.program.has_value();
  ObjectText o;
  o.add("onnx_nodes", c.report.nodes.size()).add("fx_nodes", calls);
  o.add("tensors", c.module.tensors.size()).add("trainable", parameters);
  o.add("modules", c.module.modules.size() - blocks).add("blocks", blocks);
  return o.add("unsupported", c.report.unsupported.size()).text();
}

}  // namespace

std::string model_json(const Conversion& c) {
  const auto name = [](const fx::Port& p) { return json(p.onnx_name); };
  ObjectText o;
  o.add("file", c.report.model);
  o.add_json("inputs", json(c.module.inputs, name));
  return o.add_json("outputs", json(c.module.outputs, name)).text();
}

std::string report_json(const Conversion& c) {
  ObjectText recovered;
  for (const auto& [composite, count] : c.module.recovered) recovered.add(composite, count);
  DocumentText d;
  d.add("format", std::string_view("onnx2fx.report"));
  d.add("version", std::string_view("1.0"));
  d.add("generator", std::string("onnx2fx ") + kVersion);
  d.add_json("model", model_json(c));
  d.add_json("summary", summary(c));
  d.add_json("recovered", recovered.text());
  d.add_json("open_blocks", json_object(c.module.open_blocks, ",\n"));
  d.add_lines("plugins", c.report.plugins, [](const auto& p) {
    return ObjectText().add("id", p.first).add("version", p.second).text();
  });
  d.add_lines("warnings", c.report.warnings, [](const Diagnostic& w) { return json(format(w)); });
  d.add_lines("unsupported", c.report.unsupported, unsupported);
  d.add_json("names", json_object(c.report.names, ",\n"));
  d.add_lines("tensors", c.module.tensors, tensor);
  d.add_lines("nodes", c.report.nodes, node);
  return std::move(d).text();
}

}  // namespace onnx2fx::write
