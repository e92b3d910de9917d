// Slots that read the node and its attributes.
#include "core/border/host.hpp"

namespace onnx2fx::conversion::host {

o2fx_status node_info(o2fx_ctx ctx, o2fx_node_info* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    const onnx::NodeProto& n = l.node.proto;
    return give(
        {sizeof(o2fx_node_info), view_of(n.domain()), view_of(n.op_type()), view_of(n.name()),
         l.node.opset, static_cast<uint32_t>(n.input_size()),
         static_cast<uint32_t>(n.output_size()), static_cast<uint32_t>(n.attribute_size()), 0},
        out);
  });
}

o2fx_value input(o2fx_ctx ctx, uint32_t index) {
  o2fx_value r = 0;
  in_lowering(ctx, [&](Lowering& l) {
    if (index < l.node.inputs.size()) {
      l.input_read[index] = true;
      r = l.node.inputs[index];
    }
    return O2FX_OK;
  });
  return r;
}

uint32_t output_wanted(o2fx_ctx ctx, uint32_t index) {
  uint32_t r = 0;
  in_lowering(ctx, [&](Lowering& l) {
    const onnx::NodeProto& n = l.node.proto;
    r = index < static_cast<uint32_t>(n.output_size()) &&
        !n.output(static_cast<int>(index)).empty();
    return O2FX_OK;
  });
  return r;
}

static uint64_t count_of(const onnx::AttributeProto& a) {
  switch (a.type()) {
    case onnx::AttributeProto::FLOATS:
      return static_cast<uint64_t>(a.floats_size());
    case onnx::AttributeProto::INTS:
      return static_cast<uint64_t>(a.ints_size());
    case onnx::AttributeProto::STRINGS:
      return static_cast<uint64_t>(a.strings_size());
    case onnx::AttributeProto::TENSORS:
      return static_cast<uint64_t>(a.tensors_size());
    case onnx::AttributeProto::GRAPHS:
      return static_cast<uint64_t>(a.graphs_size());
    case onnx::AttributeProto::SPARSE_TENSORS:
      return static_cast<uint64_t>(a.sparse_tensors_size());
    case onnx::AttributeProto::TYPE_PROTOS:
      return static_cast<uint64_t>(a.type_protos_size());
    default:
      return 1;
  }
}

static o2fx_status give_attribute(Lowering& l, const onnx::AttributeProto& a, bool is_default,
                                  o2fx_attr_info* out) {
  l.attributes.push_back(&a);
  return give({sizeof(o2fx_attr_info), l.attributes.size(), view_of(a.name()),
               static_cast<int32_t>(a.type()), is_default, count_of(a)},
              out);
}

o2fx_status attr(o2fx_ctx ctx, o2fx_str name_view, o2fx_attr_info* out) {
  return in_lowering(ctx, [&](Lowering& l) -> o2fx_status {
    const std::string name = text_of(name_view, "attr: name");
    if (const auto* a = l.node.attribute(name)) {
      l.attribute_read.insert(name);
      return give_attribute(l, *a, false, out);
    }
    if (l.node.schema) {
      const auto it = l.node.schema->attributes().find(name);
      if (it != l.node.schema->attributes().end() && it->second.default_value.has_name())
        return give_attribute(l, it->second.default_value, true, out);
    }
    return O2FX_ABSENT;
  });
}

o2fx_status attr_at(o2fx_ctx ctx, uint32_t index, o2fx_attr_info* out) {
  return in_lowering(ctx, [&](Lowering& l) -> o2fx_status {
    const onnx::NodeProto& n = l.node.proto;
    if (index >= static_cast<uint32_t>(n.attribute_size())) return O2FX_ABSENT;
    return give_attribute(l, n.attribute(static_cast<int>(index)), false, out);
  });
}

o2fx_status ignore_attr(o2fx_ctx ctx, o2fx_str name) {
  return in_lowering(ctx, [&](Lowering& l) {
    l.attribute_read.insert(text_of(name, "ignore_attr: name"));
    return O2FX_OK;
  });
}

static const onnx::AttributeProto& attribute_of(Lowering& l, o2fx_attr id) {
  if (id == 0 || id > l.attributes.size())
    throw HostError(O2FX_E_INVALID,
                    "attribute id " + std::to_string(id) + ": expected one of this lowering");
  return *l.attributes[id - 1];
}

static std::string attribute_type(const onnx::AttributeProto& a) {
  return onnx::AttributeProto::AttributeType_Name(a.type());
}

o2fx_status attr_arg(o2fx_ctx ctx, o2fx_attr id, o2fx_arg* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    const onnx::AttributeProto& a = attribute_of(l, id);
    switch (a.type()) {
      case onnx::AttributeProto::INT:
        room(out) = integer(a.i());
        break;
      case onnx::AttributeProto::FLOAT:
        room(out) = real(static_cast<double>(a.f()));
        break;
      case onnx::AttributeProto::STRING:
        room(out) = string(a.s());
        break;
      case onnx::AttributeProto::INTS:
        room(out) = list(l, a.ints(), integer);
        break;
      case onnx::AttributeProto::FLOATS:
        room(out) = list(l, a.floats(), [](float f) { return real(static_cast<double>(f)); });
        break;
      case onnx::AttributeProto::STRINGS:
        room(out) = list(l, a.strings(), string);
        break;
      default:
        throw HostError(O2FX_E_MODEL,
                        "attribute '" + a.name() +
                            "': expected a number, a string, or a list of them, got " +
                            attribute_type(a));
    }
    return O2FX_OK;
  });
}

o2fx_status attr_tensor(o2fx_ctx ctx, o2fx_attr id, uint32_t index, o2fx_value* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    const onnx::AttributeProto& a = attribute_of(l, id);
    const int i = static_cast<int>(index);
    const onnx::NodeProto& n = l.node.proto;
    const std::string name = n.op_type() == "Constant" && n.output_size()
                                 ? n.output(0)
                                 : (n.name().empty() ? n.op_type() : n.name()) + "." + a.name();
    if (a.type() == onnx::AttributeProto::TENSOR && i == 0)
      room(out) = l.tensors.of_model(a.t(), name, true);
    else if (a.type() == onnx::AttributeProto::TENSORS && i < a.tensors_size())
      room(out) = l.tensors.of_model(a.tensors(i), name, true);
    else if (a.type() == onnx::AttributeProto::SPARSE_TENSOR && i == 0)
      room(out) = l.tensors.of_model(a.sparse_tensor(), name);
    else if (a.type() == onnx::AttributeProto::SPARSE_TENSORS && i < a.sparse_tensors_size())
      room(out) = l.tensors.of_model(a.sparse_tensors(i), name);
    else
      throw HostError(O2FX_E_MODEL,
                      "attribute '" + a.name() + "': expected a tensor, got " + attribute_type(a));
    return O2FX_OK;
  });
}

o2fx_status attr_graph(o2fx_ctx ctx, o2fx_attr id, uint32_t index, o2fx_graph* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    const onnx::AttributeProto& a = attribute_of(l, id);
    const int i = static_cast<int>(index);
    if (a.type() == onnx::AttributeProto::GRAPH && i == 0)
      l.graph_ids.push_back(&a.g());
    else if (a.type() == onnx::AttributeProto::GRAPHS && i < a.graphs_size())
      l.graph_ids.push_back(&a.graphs(i));
    else
      throw HostError(O2FX_E_MODEL,
                      "attribute '" + a.name() + "': expected a graph, got " + attribute_type(a));
    room(out) = l.graph_ids.size();
    return O2FX_OK;
  });
}

o2fx_status attr_type(o2fx_ctx ctx, o2fx_attr id, uint32_t index, o2fx_value_info* out) {
  return in_lowering(ctx, [&](Lowering& l) {
    const onnx::AttributeProto& a = attribute_of(l, id);
    const onnx::TypeProto* t = a.type() == onnx::AttributeProto::TYPE_PROTO && index == 0 ? &a.tp()
                               : a.type() == onnx::AttributeProto::TYPE_PROTOS &&
                                       index < static_cast<uint32_t>(a.type_protos_size())
                                   ? &a.type_protos(static_cast<int>(index))
                                   : nullptr;
    if (!t)
      throw HostError(O2FX_E_MODEL,
                      "attribute '" + a.name() + "': expected a type, got " + attribute_type(a));
    return give(raw_info(l, from_proto(*t, l.builder.syms), 0), out);
  });
}

}  // namespace onnx2fx::conversion::host
