#include "tools/onnx2fx/inspect.hpp"

#include <fmt/format.h>

#include <map>
#include <ostream>
#include <tuple>

#include "core/plugin/registry.hpp"
#include "core/write/report_json.hpp"
#include "tools/onnx2fx/model_argument.hpp"
#include "tools/onnx2fx/summary.hpp"

namespace onnx2fx::cli {

int inspect_model(const std::string& model, Options options, bool json, std::ostream& out) {
  options.weights = weights::Mode::kMeta;
  options.keep_going = true;
  plugin::Registry registry(options.plugins, plugin::Registry::Faults::kKept);
  if (!registry.faults().empty()) throw PluginError(registry.faults());
  const Conversion c = convert_argument(model, options, &registry);
  const bool complete = c.report.unsupported.empty();
  if (json) {
    out << write::report_json(c);
    return complete ? 0 : 1;
  }
  const auto ports = [&](const char* title, const std::vector<fx::Port>& all) {
    for (const fx::Port& p : all)
      out << fmt::format("{:<8} {}  {}{}\n", title, printable(p.onnx_name),
                         p.type.dtype.empty() ? "?" : p.type.dtype,
                         p.type.shape ? fmt::format("[{}]", fmt::join(*p.type.shape, ", ")) : "");
  };
  ports("input", c.module.inputs);
  ports("output", c.module.outputs);
  out << fmt::format("weights  {} tensors, {} trainable elements\n", c.module.tensors.size(),
                     trainable_elements(c.module));
  std::map<std::tuple<std::string, std::string, int64_t, std::string>, size_t> rows;
  for (const Report::Node& n : c.report.nodes) rows[{n.domain, n.op_type, n.opset, n.provider}]++;
  for (const auto& [row, count] : rows) {
    const auto& [domain, op, opset, provider] = row;
    out << fmt::format("{:>7} x {:<40} opset {:<3} {}\n", count,
                       printable((domain.empty() ? "" : domain + ".") + op), opset, provider);
  }
  for (const UnsupportedOperator& o : c.report.unsupported) {
    out << fmt::format("missing {}{} opset {}: {} nodes, first '{}'\n",
                       printable(o.domain.empty() ? "" : o.domain + "."), printable(o.op_type),
                       o.opset, o.nodes.size(), printable(o.nodes[0]));
    for (const std::string& r : o.reasons) out << "          " << printable(r) << "\n";
    if (!o.similar.empty()) out << "          " << printable(o.similar) << "\n";
  }
  return complete ? 0 : 1;
}

}  // namespace onnx2fx::cli
