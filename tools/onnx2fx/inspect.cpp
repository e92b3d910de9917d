#include "tools/onnx2fx/inspect.hpp"

#include <fmt/format.h>

#include <map>
#include <ostream>
#include <tuple>

#include "core/write/report_json.hpp"

namespace onnx2fx::cli {
namespace {

std::string text(const fx::Program& p, const fx::Module& m, const fx::Argument& a) {
  const auto name = [&](fx::NodeRef r) { return "%" + p.nodes[r.index].name; };
  struct Visitor {
    const fx::Program& p;
    const fx::Module& m;
    const decltype(name)& node;
    std::string operator()(std::monostate) const { return "None"; }
    std::string operator()(bool b) const { return b ? "True" : "False"; }
    std::string operator()(int64_t i) const { return std::to_string(i); }
    std::string operator()(double f) const { return fmt::format("{}", f); }
    std::string operator()(const std::string& s) const { return "'" + s + "'"; }
    std::string operator()(fx::NodeRef r) const { return node(r); }
    std::string operator()(fx::ProgramRef r) const { return "@" + m.programs[r.index].name; }
    std::string operator()(const fx::Dtype& d) const { return "torch." + d.name; }
    std::string operator()(const fx::Device& d) const { return "'" + d.name + "'"; }
    std::string operator()(const fx::Layout& l) const { return "torch." + l.name; }
    std::string operator()(const fx::MemoryFormat& f) const { return "torch." + f.name; }
    std::string operator()(fx::Training) const { return "training"; }
    std::string operator()(fx::DeviceOf d) const { return node(d.tensor) + ".device"; }
    std::string operator()(const fx::List& l) const {
      std::string s = "[";
      for (const fx::Argument& x : l) s += (s.size() > 1 ? ", " : "") + text(p, m, x);
      return s + "]";
    }
  };
  return std::visit(Visitor{p, m, name}, a.value);
}

void print(const fx::Program& p, const fx::Module& m, std::ostream& out) {
  out << p.name << ":\n";
  for (const fx::Node& n : p.nodes) {
    if (n.op == fx::Op::kOutput) {
      out << "  return " << text(p, m, n.args[0]) << "\n";
      continue;
    }
    std::string type;
    if (!n.type.dtype.empty()) {
      type = " : " + n.type.dtype;
      if (n.type.shape) type += fmt::format("[{}]", fmt::join(*n.type.shape, ", "));
    }
    out << "  %" << n.name << type << " = ";
    if (n.op == fx::Op::kPlaceholder)
      out << "placeholder";
    else if (n.op == fx::Op::kGetAttr)
      out << "get_attr[" << m.tensors[*n.tensor].path << "]";
    else if (n.op == fx::Op::kCallModule)
      out << "call_module[" << m.modules[*n.module].path << " nn." << m.modules[*n.module].type
          << "]";
    else
      out << "call_function[" << n.target << "]";
    if (n.op == fx::Op::kCallFunction || n.op == fx::Op::kCallModule) {
      std::string args;
      for (const fx::Argument& a : n.args) args += (args.empty() ? "" : ", ") + text(p, m, a);
      for (const auto& [key, a] : n.kwargs)
        args += (args.empty() ? "" : ", ") + key + "=" + text(p, m, a);
      out << "(" << args << ")";
    }
    out << "\n";
  }
}

}  // namespace

void print_program(const fx::Module& module, std::ostream& out) {
  for (const fx::Program& p : module.programs) print(p, module, out);
}

int inspect_model(const std::string& model, Options options, bool json, std::ostream& out) {
  options.weights = weights::Mode::kMeta;
  options.keep_going = true;
  const Conversion c = convert(model, options);
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
  uint64_t parameters = 0;
  for (const fx::Tensor& t : c.module.tensors) {
    uint64_t n = t.requires_grad;
    for (const int64_t d : t.dims) n *= static_cast<uint64_t>(d);
    parameters += n;
  }
  out << fmt::format("weights  {} tensors, {} trainable elements\n", c.module.tensors.size(),
                     parameters);
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
  }
  return complete ? 0 : 1;
}

}  // namespace onnx2fx::cli
