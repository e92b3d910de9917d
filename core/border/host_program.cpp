// Slots for ONNX graphs held by attributes, and for sub-programs.
#include "core/border/host.hpp"

namespace onnx2fx::conversion::host {

static const onnx::GraphProto& graph_of(Lowering& l, o2fx_graph id) {
  if (id == 0 || id > l.graphs.size())
    throw HostError(O2FX_E_INVALID,
                    "graph id " + std::to_string(id) + ": expected one of this lowering");
  return *l.graphs[id - 1];
}

o2fx_status graph_info(o2fx_ctx ctx, o2fx_graph id, o2fx_graph_info* out) {
  return with_node(ctx, [&](Lowering& l) {
    const onnx::GraphProto& g = graph_of(l, id);
    return give({sizeof(o2fx_graph_info), view_of(g.name()), static_cast<uint32_t>(g.input_size()),
                 static_cast<uint32_t>(g.output_size())},
                out);
  });
}

o2fx_status graph_value_info(o2fx_ctx ctx, o2fx_graph id, uint32_t is_output, uint32_t index,
                             o2fx_value_info* out) {
  return with_node(ctx, [&](Lowering& l) {
    const onnx::GraphProto& g = graph_of(l, id);
    const auto& all = is_output ? g.output() : g.input();
    if (index >= static_cast<uint32_t>(all.size()))
      throw HostError(O2FX_E_INVALID, "graph_value_info: index " + std::to_string(index) +
                                          ": expected one below " + std::to_string(all.size()));
    return give(
        raw_info(l, from_proto(all.Get(static_cast<int>(index)).type(), l.converter.builder.syms),
                 false),
        out);
  });
}

static o2fx_status failed(Lowering& l, const Faults& faults, const std::string& where) {
  l.nested.insert(l.nested.end(), faults.begin(), faults.end());
  return l.fail(O2FX_E_UNSUPPORTED, where + ": " + faults[0].diagnostic.what);
}

static Scope scope_inside(Lowering& l) {
  Scope scope;
  scope.parent = l.scope;
  scope.opsets = l.scope->opsets;
  scope.function_path = l.scope->function_path;
  return scope;
}

o2fx_status lower_subgraph(o2fx_ctx ctx, o2fx_graph id, const o2fx_value* inputs, uint32_t n_inputs,
                           o2fx_value* outputs, uint32_t n_outputs) {
  return with_node(ctx, [&](Lowering& l) -> o2fx_status {
    const onnx::GraphProto& g = graph_of(l, id);
    if (n_inputs != static_cast<uint32_t>(g.input_size()) ||
        n_outputs != static_cast<uint32_t>(g.output_size()))
      throw HostError(O2FX_E_MODEL,
                      "graph '" + g.name() + "': expected " + std::to_string(g.input_size()) +
                          " inputs and " + std::to_string(g.output_size()) + " outputs, got " +
                          std::to_string(n_inputs) + " and " + std::to_string(n_outputs));
    const Budget::Body expanded = l.converter.budget.expand("node '" + node_name(l.node->proto) +
                                                            "' (" + l.node->proto.op_type() + ")");
    Scope scope = scope_inside(l);
    for (uint32_t i = 0; i < n_inputs; i++) {
      l.converter.builder.value(inputs[i]);
      scope.values[g.input(static_cast<int>(i)).name()] = inputs[i];
    }
    if (const Faults faults = l.converter.lower_graph(g, scope); !faults.empty())
      return failed(l, faults, "in its graph '" + g.name() + "'");
    const std::vector<ValueId> results = l.converter.outputs_of(g, scope);
    std::copy(results.begin(), results.end(), outputs);
    return O2FX_OK;
  });
}

o2fx_status lower_between(o2fx_ctx ctx, const o2fx_str* from, const o2fx_value* values, uint32_t n,
                          o2fx_str to, o2fx_value* out) {
  return with_node(ctx, [&](Lowering& l) -> o2fx_status {
    if ((n && (!from || !values)) || !out)
      throw HostError(O2FX_E_INVALID, "lower_between: expected names, values and room, got NULL");
    Scope scope = scope_inside(l);
    scope.nodes = l.scope->nodes;
    for (uint32_t i = 0; i < n; i++) {
      l.converter.builder.value(values[i]);
      scope.values[text_of(from[i])] = values[i];
    }
    const std::string name = text_of(to);
    if (const Faults faults = l.converter.lower_between(scope, name); !faults.empty())
      return failed(l, faults, "on the way to '" + name + "'");
    const auto found = scope.values.find(name);
    if (found == scope.values.end())
      throw HostError(O2FX_E_MODEL, "value '" + name +
                                        "': expected one that the graph of this node computes from "
                                        "the values named, got none");
    *out = found->second;
    return O2FX_OK;
  });
}

o2fx_status program_begin(o2fx_ctx ctx, o2fx_str name) {
  return with_node(ctx, [&](Lowering& l) {
    l.converter.builder.begin(text_of(name));
    return O2FX_OK;
  });
}

static void need_program(Lowering& l, const char* what) {
  if (l.converter.builder.depth() <= l.base_depth)
    throw HostError(O2FX_E_INVALID, std::string(what) + ": expected a begun program");
}

o2fx_status placeholder(o2fx_ctx ctx, o2fx_str name, const o2fx_value_info* info, o2fx_value* out) {
  return with_node(ctx, [&](Lowering& l) {
    need_program(l, "placeholder");
    Type type;
    type.kind = O2FX_KIND_TENSOR;
    if (info) type = type_from(l, *info);
    if (type.kind == O2FX_KIND_UNKNOWN && type.dtype) type.kind = O2FX_KIND_TENSOR;
    *out = l.converter.builder.placeholder(text_of(name), type);
    return O2FX_OK;
  });
}

o2fx_status program_end(o2fx_ctx ctx, const o2fx_arg* result, o2fx_program* out) {
  return with_node(ctx, [&](Lowering& l) {
    need_program(l, "program_end");
    if (!result) throw HostError(O2FX_E_INVALID, "program_end: expected a result, got NULL");
    *out = l.converter.builder.end(*result);
    return O2FX_OK;
  });
}

o2fx_status program_close(o2fx_ctx ctx, const o2fx_program* programs, uint32_t n,
                          o2fx_arg* captures) {
  return with_node(ctx, [&](Lowering& l) {
    std::vector<uint32_t> indices;
    for (uint32_t i = 0; i < n; i++) {
      if (programs[i] > UINT32_MAX)
        throw HostError(O2FX_E_INVALID, "program_close: expected an ended program");
      indices.push_back(static_cast<uint32_t>(programs[i]));
    }
    *captures = list(l, l.converter.builder.close(indices), value_arg);
    return O2FX_OK;
  });
}

}  // namespace onnx2fx::conversion::host
