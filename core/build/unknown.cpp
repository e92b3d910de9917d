// Where a type that is not known was lost: for messages.
#include <algorithm>

#include "core/build/builder.hpp"

namespace onnx2fx::conversion {

static bool is_unknown(const Type& t) {
  return t.kind == O2FX_KIND_UNKNOWN || (t.is_tensor() && (!t.dtype || !t.dims));
}

const fx::Node* Builder::untyped_by(ValueId id) {
  const Value& v = value(id);
  if (v.source != ValueSource::kNode || !is_unknown(v.type)) return nullptr;
  const std::vector<fx::Node>& nodes = programs_[v.program].program.nodes;
  std::vector<bool> unknown(nodes.size());
  for (const Value& other : values_)
    if (other.source == ValueSource::kNode && other.program == v.program)
      unknown[other.node] = is_unknown(other.type);
  uint32_t at = v.node;
  for (bool moved = true; moved;) {
    moved = false;
    for (const fx::Argument& a : nodes[at].args)
      for_each_ref(a, [&](fx::NodeRef r) {
        const bool item = nodes[at].target == "operator::getitem";
        if (moved || r.index >= at || !(unknown[r.index] || item)) return;
        at = r.index;
        moved = true;
      });
  }
  return &nodes[at];
}

// A placeholder: of the model, or of a body, which has the operands' types.
static Builder::Unknown unknown_input(const OpenProgram& p, uint32_t program, const fx::Node& n,
                                      const std::string& what) {
  Builder::Unknown u{"its " + what + " is not known: the model says none of its input '" +
                     n.target + "'"};
  const auto at = static_cast<uint32_t>(&n - p.program.nodes.data());
  const auto formal = std::ranges::find(p.formals, at);
  if (program == 0 && what == "rank" && formal != p.formals.end())
    u.input = static_cast<size_t>(formal - p.formals.begin());
  return u;
}

Builder::Unknown Builder::describe_unknown(ValueId id) {
  const fx::Node* n = untyped_by(id);
  if (!n) return {};
  const Type& t = value(id).type;
  const std::string what = !t.is_tensor() ? "type" : t.dtype ? "rank" : t.dims ? "dtype" : "type";
  if (n->op == fx::Op::kPlaceholder)
    return unknown_input(programs_[value(id).program], value(id).program, *n, what);
  if (!n->onnx || n->onnx->plugin.empty()) return {};
  const fx::Provenance& p = *n->onnx;
  std::string name = p.name;
  for (const std::string& o : p.outputs)
    if (name.empty()) name = o;
  const std::string op = p.domain.empty() ? p.op_type : p.domain + "." + p.op_type;
  return {"its " + what + " is not known: node '" + name + "' (" + op + ") makes it by " +
          n->target + ", and plugin " + p.plugin + " does not state it"};
}

}  // namespace onnx2fx::conversion
