// Builder::finish: open programs become fx::Programs, placeholders first, output last.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "core/build/builder.hpp"
#include "core/build/names.hpp"
#include "core/weights/weights.hpp"

namespace onnx2fx::conversion {

using fx::Argument;
using fx::NodeRef;

static void remap(Argument& a, const std::vector<uint32_t>& nodes,
                  const std::map<uint32_t, uint32_t>& programs) {
  if (fx::ProgramRef* p = a.as<fx::ProgramRef>()) {
    p->index = programs.at(p->index);
  } else if (fx::List* l = a.as<fx::List>()) {
    for (Argument& x : *l) remap(x, nodes, programs);
  } else if (NodeRef* r = a.as<NodeRef>()) {
    r->index = nodes[r->index];
  } else if (fx::DeviceOf* d = a.as<fx::DeviceOf>()) {
    d->tensor.index = nodes[d->tensor.index];
  }
}

static void programs_in(const Argument& a, std::vector<uint32_t>& found) {
  if (const fx::ProgramRef* p = a.as<fx::ProgramRef>()) found.push_back(p->index);
  if (const fx::List* l = a.as<fx::List>())
    for (const Argument& x : *l) programs_in(x, found);
}

static fx::Program lay_out(OpenProgram& p, Argument result,
                           const std::map<uint32_t, uint32_t>& programs) {
  std::vector<fx::Node>& nodes = p.program.nodes;
  std::vector<uint32_t> order = p.formals;
  for (const OpenProgram::Capture& c : p.captures) order.push_back(c.node);
  std::vector<bool> first(nodes.size());
  for (const uint32_t i : order) first[i] = true;
  for (uint32_t i = 0; i < nodes.size(); i++)
    if (!first[i]) order.push_back(i);
  std::vector<uint32_t> position(nodes.size());
  for (uint32_t i = 0; i < order.size(); i++) position[order[i]] = i;
  fx::Program out{p.program.name, {}};
  for (const uint32_t i : order) {
    fx::Node n = std::move(nodes[i]);
    for (Argument& a : n.args) remap(a, position, programs);
    for (fx::NamedArgument& a : n.kwargs) remap(a.second, position, programs);
    out.nodes.push_back(std::move(n));
  }
  fx::Node output;
  output.op = fx::Op::kOutput;
  output.name = "output";
  remap(result, position, programs);
  output.args.push_back(std::move(result));
  out.nodes.push_back(std::move(output));
  return out;
}

void Builder::type_nodes() {
  for (const Value& v : values_)
    if (v.source == ValueSource::kNode && v.type.is_tensor())
      programs_[v.program].program.nodes[v.node].type = type_text(v.type, syms);
  for (const auto& [tensor, node] : programs_[0].tensors) {
    const TensorEntry& t = tensors_[tensor];
    programs_[0].program.nodes[node].type = type_text(Type::tensor(t.dtype, t.dims), syms);
  }
  for (OpenProgram& p : programs_)
    for (const OpenProgram::Capture& c : p.captures)
      p.program.nodes[c.node].type = type_text(value(c.outer).type, syms);
}

std::vector<fx::Program> Builder::finish(const std::vector<ValueId>& outputs, bool single) {
  fx::List results;
  for (const ValueId id : outputs) results.push_back(argument(id));
  programs_[0].result = single && results.size() == 1 ? results[0] : Argument(std::move(results));
  type_nodes();
  std::vector<uint32_t> reached{0};
  std::map<uint32_t, uint32_t> index{{0, 0}};
  for (size_t i = 0; i < reached.size(); i++) {
    std::vector<uint32_t> found;
    for (const fx::Node& n : programs_[reached[i]].program.nodes) {
      for (const Argument& a : n.args) programs_in(a, found);
      for (const fx::NamedArgument& a : n.kwargs) programs_in(a.second, found);
    }
    for (const uint32_t f : found)
      if (index.emplace(f, static_cast<uint32_t>(reached.size())).second) reached.push_back(f);
  }
  std::vector<fx::Program> out;
  out.reserve(reached.size());
  for (const uint32_t r : reached) out.push_back(lay_out(programs_[r], programs_[r].result, index));
  return out;
}

}  // namespace onnx2fx::conversion
