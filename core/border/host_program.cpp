// Slots for ONNX graphs held by attributes, and for sub-programs.
#include "core/border/host.hpp"

namespace onnx2fx::conversion::host {

static const onnx::GraphProto& graph_of(Lowering& l, o2fx_graph id) {
  if (id == 0 || id > l.graph_ids.size())
    throw HostError(O2FX_E_INVALID,
                    "graph id " + std::to_string(id) + ": expected one of this lowering");
  return *l.graph_ids[id - 1];
}

o2fx_status graph_info(o2fx_ctx ctx, o2fx_graph id, o2fx_graph_info* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    const onnx::GraphProto& g = graph_of(l, id);
    return give({sizeof(o2fx_graph_info), view_of(g.name()), static_cast<uint32_t>(g.input_size()),
                 static_cast<uint32_t>(g.output_size())},
                out);
  });
}

o2fx_status graph_value_info(o2fx_ctx ctx, o2fx_graph id, uint32_t is_output, uint32_t index,
                             o2fx_value_info* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    if (is_output > 1)
      throw HostError(O2FX_E_INVALID, "graph_value_info: is_output: expected 0 or 1, got " +
                                          std::to_string(is_output));
    const onnx::GraphProto& g = graph_of(l, id);
    const auto& all = is_output ? g.output() : g.input();
    if (index >= static_cast<uint32_t>(all.size()))
      throw HostError(O2FX_E_INVALID, "graph_value_info: index " + std::to_string(index) +
                                          ": expected one below " + std::to_string(all.size()));
    return give(raw_info(l, from_proto(all.Get(static_cast<int>(index)).type(), l.builder.syms), 0),
                out);
  });
}

static std::vector<ValueId> alive(Lowering& l, std::span<const o2fx_value> ids) {
  for (const o2fx_value id : ids) l.builder.value(id);  // refuses stale and foreign ones
  return {ids.begin(), ids.end()};
}

o2fx_status lower_subgraph(o2fx_ctx ctx, o2fx_graph id, const o2fx_value* inputs, uint32_t n_inputs,
                           o2fx_value* outputs, uint32_t n_outputs) {
  return in_lowering(ctx, [&](Lowering& l) {
    const onnx::GraphProto& g = graph_of(l, id);
    if (n_inputs != static_cast<uint32_t>(g.input_size()) ||
        n_outputs != static_cast<uint32_t>(g.output_size()))
      throw HostError(O2FX_E_MODEL,
                      "graph '" + g.name() + "': expected " + std::to_string(g.input_size()) +
                          " inputs and " + std::to_string(g.output_size()) + " outputs, got " +
                          std::to_string(n_inputs) + " and " + std::to_string(n_outputs));
    const auto given = elements(inputs, n_inputs, UINT32_MAX, "lower_subgraph: inputs");
    elements(outputs, n_outputs, UINT32_MAX, "lower_subgraph: outputs");
    const std::vector<ValueId> results = l.graphs.lower(g, alive(l, given));
    std::copy(results.begin(), results.end(), outputs);
    return O2FX_OK;
  });
}

o2fx_status lower_between(o2fx_ctx ctx, const o2fx_str* from, const o2fx_value* values, uint32_t n,
                          o2fx_str to, o2fx_value* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    std::vector<std::string> names;
    for (const o2fx_str name : elements(from, n, O2FX_MAX_ARGS, "lower_between: from"))
      names.push_back(text_of(name, "lower_between: from"));
    const auto given = elements(values, n, O2FX_MAX_ARGS, "lower_between: values");
    room(out) = l.graphs.lower_between(names, alive(l, given), text_of(to, "lower_between: to"));
    return O2FX_OK;
  });
}

o2fx_status program_begin(o2fx_ctx ctx, o2fx_str name) {
  return in_lowering(ctx, [&](Lowering& l) {
    l.builder.begin(text_of(name, "program_begin: name_hint"));
    return O2FX_OK;
  });
}

static void need_program(Lowering& l, const char* what) {
  if (l.builder.depth() <= l.base_depth)
    throw HostError(O2FX_E_INVALID, std::string(what) + ": expected a begun program");
}

o2fx_status placeholder(o2fx_ctx ctx, o2fx_str name, const o2fx_value_info* info, o2fx_value* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    need_program(l, "placeholder");
    Type type;
    type.kind = O2FX_KIND_TENSOR;
    if (info) type = type_from(l, *info);
    if (type.kind == O2FX_KIND_UNKNOWN && type.dtype) type.kind = O2FX_KIND_TENSOR;
    room(out) = l.builder.placeholder(text_of(name, "placeholder: name_hint"), type);
    return O2FX_OK;
  });
}

o2fx_status program_end(o2fx_ctx ctx, const o2fx_arg* result, o2fx_program* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    need_program(l, "program_end");
    if (!result) throw HostError(O2FX_E_INVALID, "program_end: expected a result, got NULL");
    check_argument(*result, "program_end: result");
    room(out) = l.builder.end(*result);
    return O2FX_OK;
  });
}

o2fx_status program_close(o2fx_ctx ctx, const o2fx_program* programs, uint32_t n,
                          o2fx_arg* captures) {
  return in_lowering(ctx, [&](Lowering& l) {
    std::vector<uint32_t> indices;
    for (const o2fx_program program :
         elements(programs, n, O2FX_MAX_ARGS, "program_close: programs")) {
      if (program > UINT32_MAX)
        throw HostError(O2FX_E_INVALID, "program_close: expected an ended program");
      indices.push_back(static_cast<uint32_t>(program));
    }
    room(captures) = list(l, l.builder.close(indices), value_arg);
    return O2FX_OK;
  });
}

}  // namespace onnx2fx::conversion::host
