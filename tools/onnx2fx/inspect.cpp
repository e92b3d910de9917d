#include "tools/onnx2fx/inspect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <ostream>
#include <set>
#include <string_view>
#include <utility>

#include "core/plugin/registry.hpp"
#include "tools/onnx2fx/amounts.hpp"
#include "tools/onnx2fx/inspection_json.hpp"
#include "tools/onnx2fx/model_argument.hpp"
#include "tools/onnx2fx/model_facts.hpp"
#include "tools/onnx2fx/operator_counts.hpp"
#include "tools/onnx2fx/symbolic_sizes.hpp"

namespace onnx2fx::cli {
namespace {

std::string type_text(const fx::TypeText& type) {
  return (type.dtype.empty() ? "?" : type.dtype) +
         (type.shape ? fmt::format("[{}]", fmt::join(*type.shape, ", ")) : "");
}

void print_model(const Conversion& c, std::ostream& out) {
  std::string line = "model    " + c.report.model, producer;
  for (const auto& [key, text] : c.module.metadata)
    if (key.starts_with("producer_") && !text.empty()) producer += " " + text;
  if (!producer.empty()) line += ", by" + producer;
  for (const auto& [domain, version] : c.report.opsets)
    line += fmt::format(", {} {}", domain.empty() ? "opset" : domain, version);
  out << printable(line) << "\n";
  for (const auto& [title, ports] :
       {std::pair{"input", &c.module.inputs}, std::pair{"output", &c.module.outputs}})
    for (const fx::Port& p : *ports)
      out << fmt::format("{:<8} {}  {}\n", title, printable(p.onnx_name),
                         printable(type_text(p.type)));
}

void print_weights(const ModelFacts& facts, std::ostream& out) {
  const char* title = "weights";
  const auto line = [&](const Weights& w, const char* what, const std::string& more = "") {
    if (!w.tensors) return;
    std::string dtypes;
    for (const auto& [dtype, elements] : w.elements_by_dtype) dtypes += ", " + dtype;
    out << fmt::format("{:<8} {}: {}{}, {}{}\n", std::exchange(title, ""), grouped(w.tensors, what),
                       grouped(w.elements, "element"), more, sized(w.bytes), dtypes);
  };
  line(facts.parameters, "parameter", fmt::format(" ({} trainable)", grouped(facts.trainable)));
  line(facts.buffers, "buffer");
  line(facts.constants, "constant");
}

/// As a shell takes it.
std::string size_option(const std::set<std::string>& names) {
  const auto is_plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
  };
  const bool plain = std::ranges::all_of(
      names, [&](const std::string& name) { return std::ranges::all_of(name, is_plain); });
  const char* quote = plain ? "" : "'";
  return fmt::format("--size {}{}=N{}", quote, fmt::join(names, "=N,"), quote);
}

std::map<std::string, std::vector<std::string>> by_reason(
    const std::vector<std::pair<std::string, std::string>>& uncounted) {
  std::map<std::string, std::vector<std::string>> nodes;
  for (const auto& [node, why] : uncounted) nodes[why].push_back(node);
  return nodes;
}

void print_costs(const Costs& costs, const SymbolicSizes& sizes, std::ostream& out) {
  const char* title = "cost";
  const auto line = [&](const std::string& text) {
    out << fmt::format("{:<8} {}\n", std::exchange(title, ""), printable(text));
  };
  if (costs.macs) line(grouped(*costs.macs, "multiply-accumulate"));
  if (costs.activation_bytes && costs.peak_activation_bytes)
    line(fmt::format("{} of activations, at most {} at one time", sized(*costs.activation_bytes),
                     sized(*costs.peak_activation_bytes)));
  if (!sizes.needed().empty())
    line((costs.macs ? "activations: give " : "not known: give ") + size_option(sizes.needed()));
  for (const auto& [why, nodes] : by_reason(costs.uncounted))
    line(fmt::format("{}, first '{}': {}", grouped(nodes.size(), "node"), nodes[0], why));
}

using Cells = std::array<std::string, 4>;  // name and class, output, parameters, MACs

Cells cells(const Part& p, size_t depth) {
  const std::string name = p.path.substr(p.path.rfind('.') + 1);
  return {printable(std::string(2 * depth, ' ') + name + (p.type.empty() ? "" : ": " + p.type)),
          p.output.shape ? printable(type_text(p.output)) : "",
          p.parameters ? grouped(p.parameters) : "",
          p.macs ? (*p.macs ? grouped(*p.macs) : "") : "?"};
}

/// The model's parts, what is below a part indented.
void print_layers(const std::vector<Part>& parts, std::ostream& out) {
  if (parts[0].children.empty()) return;
  struct Place {
    size_t part, depth;
  };
  std::vector<Cells> table = {{"", "output", "parameters", "MACs"}};
  std::vector<Place> stack;
  const auto push = [&](const Part& p, size_t depth) {
    for (auto child = p.children.rbegin(); child != p.children.rend(); ++child)
      stack.push_back({*child, depth});
  };
  push(parts[0], 0);
  while (!stack.empty()) {
    const auto [part, depth] = stack.back();
    stack.pop_back();
    table.push_back(cells(parts[part], depth));
    push(parts[part], depth + 1);
  }
  std::array<size_t, 4> widths{};
  for (const Cells& row : table)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const Cells& row : table) {
    const std::string line = fmt::format("{:<{}}  {:<{}}  {:>{}}  {:>{}}", row[0], widths[0],
                                         row[1], widths[1], row[2], widths[2], row[3], widths[3]);
    out << line.substr(0, line.find_last_not_of(' ') + 1) << "\n";
  }
}

void print_operators(const Report& report, std::ostream& out) {
  const OperatorCounts counts(report);
  for (const auto& [row, count] : counts.lowered)
    out << fmt::format("{:>7} x {:<40} opset {:<3} {}\n", count,
                       printable(full_name(row.domain, row.op_type)), row.opset, row.provider);
  std::string folded;
  for (const auto& [name, count] : counts.folded)
    folded += fmt::format("{}{} {}", folded.empty() ? "" : ", ", count, name);
  if (!folded.empty()) out << "folded   " << printable(folded) << "\n";
}

void print_missing(const std::vector<UnsupportedOperator>& all, std::ostream& out) {
  for (const UnsupportedOperator& o : all) {
    out << fmt::format("missing {} opset {}: {} nodes, first '{}'\n",
                       printable(full_name(o.domain, o.op_type)), o.opset, o.nodes.size(),
                       printable(o.nodes[0]));
    for (const std::string& r : o.reasons) out << "          " << printable(r) << "\n";
    if (!o.similar.empty()) out << "          " << printable(o.similar) << "\n";
  }
}

/// Of the inputs that have dims of these sizes, as --input-shape takes them.
std::vector<std::string> shapes_at(const std::vector<fx::Port>& inputs, SymbolicSizes& at) {
  std::vector<std::string> shapes;
  for (const fx::Port& p : inputs) {
    std::string dims;
    bool given = false;
    for (const std::string& dim : p.type.shape.value_or(std::vector<std::string>())) {
      const auto size = at.given().find(dim);
      given |= size != at.given().end();
      dims += dims.empty() ? "" : ",";
      dims += size != at.given().end() ? std::to_string(size->second) : "?";
    }
    if (given) shapes.push_back(p.onnx_name + "=" + dims);
  }
  return shapes;
}

/// With sizes that are known from the start: what two inputs share is one size, and more follows.
Conversion converted_at(const std::string& model, Options options, const Conversion& symbolic,
                        SymbolicSizes& at, plugin::Registry& registry) {
  for (std::string& shape : shapes_at(symbolic.module.inputs, at))
    options.input_shapes.push_back(std::move(shape));
  Conversion c = convert_argument(model, options, &registry);
  c.module.inputs = symbolic.module.inputs;  // as the model declares them
  c.module.outputs = symbolic.module.outputs;
  return c;
}

}  // namespace

int inspect_model(const std::string& model, Options options, const std::vector<std::string>& sizes,
                  bool json, std::ostream& out) {
  options.weights = weights::Mode::kMeta;
  options.keep_going = true;
  plugin::Registry registry(options.plugins, plugin::Registry::Faults::kKept);
  if (!registry.faults().empty()) throw PluginError(registry.faults());
  Conversion c = convert_argument(model, options, &registry);
  SymbolicSizes at(c.module, sizes);
  ModelFacts facts(c, at);  // refuses sizes that no run could have
  if (!at.given().empty() && !is_standard_input(model)) {
    c = converted_at(model, options, c, at, registry);
    at = SymbolicSizes(c.module, at);
    facts = ModelFacts(c, at);
  }
  if (json) {
    out << inspection_json(c, facts, at);
  } else {
    print_model(c, out);
    print_weights(facts, out);
    print_costs(facts.costs, at, out);
    print_layers(facts.parts, out);
    print_operators(c.report, out);
    print_missing(c.report.unsupported, out);
  }
  return c.report.unsupported.empty() ? 0 : 1;
}

}  // namespace onnx2fx::cli
