#include "core/prepare/normalise.hpp"

namespace onnx2fx::prepare {
namespace {

using onnx::AttributeProto;

void normalise_domain(std::string& domain) {
  if (domain == "ai.onnx") domain.clear();
}

void normalise_shape(onnx::TensorShapeProto& shape) {
  for (auto& dim : *shape.mutable_dim()) {
    const bool nameless =
        dim.has_dim_param() && (dim.dim_param().empty() || dim.dim_param() == "?");
    if (nameless || (dim.has_dim_value() && dim.dim_value() < 0)) dim.clear_value();
  }
}

void normalise_type(onnx::TypeProto& type) {
  if (type.has_tensor_type() && type.tensor_type().has_shape()) {
    normalise_shape(*type.mutable_tensor_type()->mutable_shape());
  } else if (type.has_sparse_tensor_type() && type.sparse_tensor_type().has_shape()) {
    normalise_shape(*type.mutable_sparse_tensor_type()->mutable_shape());
  } else if (type.has_sequence_type()) {
    normalise_type(*type.mutable_sequence_type()->mutable_elem_type());
  } else if (type.has_optional_type()) {
    normalise_type(*type.mutable_optional_type()->mutable_elem_type());
  } else if (type.has_map_type()) {
    normalise_type(*type.mutable_map_type()->mutable_value_type());
  }
}

template <class Values>
void normalise_values(Values& values) {
  for (onnx::ValueInfoProto& value : values) {
    if (value.has_type()) normalise_type(*value.mutable_type());
  }
}

/// UNDEFINED unless exactly one field is filled.
AttributeProto::AttributeType filled_type(const AttributeProto& a) {
  AttributeProto::AttributeType type = AttributeProto::UNDEFINED;
  int filled = 0;
  const auto note = [&](bool present, AttributeProto::AttributeType candidate) {
    if (!present) return;
    type = candidate;
    ++filled;
  };
  note(a.has_f(), AttributeProto::FLOAT);
  note(a.has_i(), AttributeProto::INT);
  note(a.has_s(), AttributeProto::STRING);
  note(a.has_t(), AttributeProto::TENSOR);
  note(a.has_g(), AttributeProto::GRAPH);
  note(a.has_sparse_tensor(), AttributeProto::SPARSE_TENSOR);
  note(a.has_tp(), AttributeProto::TYPE_PROTO);
  note(a.floats_size() > 0, AttributeProto::FLOATS);
  note(a.ints_size() > 0, AttributeProto::INTS);
  note(a.strings_size() > 0, AttributeProto::STRINGS);
  note(a.tensors_size() > 0, AttributeProto::TENSORS);
  note(a.graphs_size() > 0, AttributeProto::GRAPHS);
  note(a.sparse_tensors_size() > 0, AttributeProto::SPARSE_TENSORS);
  note(a.type_protos_size() > 0, AttributeProto::TYPE_PROTOS);
  return filled == 1 ? type : AttributeProto::UNDEFINED;
}

void normalise_graph(onnx::GraphProto& graph);

template <class Nodes>
void normalise_nodes(Nodes& nodes) {
  for (onnx::NodeProto& node : nodes) {
    normalise_domain(*node.mutable_domain());
    for (AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.type() == AttributeProto::UNDEFINED) attribute.set_type(filled_type(attribute));
      if (attribute.has_g()) normalise_graph(*attribute.mutable_g());
      for (onnx::GraphProto& graph : *attribute.mutable_graphs()) normalise_graph(graph);
    }
  }
}

void normalise_graph(onnx::GraphProto& graph) {
  normalise_values(*graph.mutable_input());
  normalise_values(*graph.mutable_output());
  normalise_values(*graph.mutable_value_info());
  normalise_nodes(*graph.mutable_node());
}

template <class Imports>
void normalise_imports(Imports& imports) {
  for (onnx::OperatorSetIdProto& import : imports) normalise_domain(*import.mutable_domain());
}

}  // namespace

void normalise(onnx::ModelProto& model) {
  normalise_imports(*model.mutable_opset_import());
  normalise_graph(*model.mutable_graph());
  for (onnx::FunctionProto& function : *model.mutable_functions()) {
    normalise_domain(*function.mutable_domain());
    normalise_imports(*function.mutable_opset_import());
    normalise_values(*function.mutable_value_info());
    normalise_nodes(*function.mutable_node());
  }
}

}  // namespace onnx2fx::prepare
