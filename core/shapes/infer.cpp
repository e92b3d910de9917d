#include "core/shapes/infer.hpp"

#include <onnx/defs/shape_inference.h>
#include <re2/re2.h>

#include <map>
#include <memory>

namespace onnx2fx::conversion {

const onnx::AttributeProto* NodeView::attribute(const std::string& name) const {
  for (const auto& a : proto.attribute())
    if (a.name() == name) return &a;
  return nullptr;
}
int64_t NodeView::integer(const std::string& name, int64_t or_else) const {
  const auto* a = attribute(name);
  return a ? a->i() : or_else;
}
std::vector<int64_t> NodeView::integers(const std::string& name) const {
  const auto* a = attribute(name);
  if (!a) return {};
  return {a->ints().begin(), a->ints().end()};
}
std::string NodeView::text(const std::string& name) const {
  const auto* a = attribute(name);
  return a ? a->s() : "";
}

namespace {

// What ONNX's inference function of one node may ask for, answered from the conversion's values.
class Context final : public onnx::InferenceContext {
 public:
  Context(Operands& operands, const NodeView& node)
      : operands_(operands), node_(node), outputs_(static_cast<size_t>(node.proto.output_size())) {}

  const onnx::AttributeProto* getAttribute(const std::string& name) const override {
    return node_.attribute(name);
  }
  size_t getNumInputs() const override { return node_.inputs.size(); }
  bool hasInput(size_t i) const override { return i < node_.inputs.size() && node_.inputs[i]; }
  const onnx::TypeProto* getInputType(size_t i) const override {
    if (!hasInput(i)) return nullptr;
    // Not every operator's inference looks whether there is a type before it reads it.
    static const onnx::TypeProto kUnknown;
    const onnx::TypeProto* known = operands_.type_proto(i);
    return known ? known : &kUnknown;
  }
  const onnx::TensorProto* getInputData(size_t i) const override {
    return hasInput(i) ? operands_.tensor_proto(i) : nullptr;
  }
  const onnx::SparseTensorProto* getInputSparseData(size_t) const override { return nullptr; }
  const onnx::TensorShapeProto* getSymbolicInput(size_t i) const override {
    if (!hasInput(i) || operands_.type(i).rank() > 1) return nullptr;
    const int32_t dtype = operands_.type(i).dtype;
    if (dtype != onnx::TensorProto::INT64 && dtype != onnx::TensorProto::INT32) return nullptr;
    const std::vector<MaybeSym>* elements = operands_.elements(i);
    if (!elements) return nullptr;
    auto& shape = symbolic_[i];
    if (!shape) shape = std::make_unique<onnx::TensorShapeProto>(as_shape(*elements));
    return shape.get();
  }
  size_t getNumOutputs() const override { return outputs_.size(); }
  onnx::TypeProto* getOutputType(size_t i) override {
    if (i >= outputs_.size()) fail_type_inference("output ", i, " is out of bounds");
    return &outputs_[i];
  }
  bool hasOutput(size_t i) override {
    return i < outputs_.size() && !node_.proto.output(static_cast<int>(i)).empty();
  }
  onnx::GraphInferencer* getGraphAttributeInferencer(const std::string& name) override {
    fail_type_inference("attribute ", name, ": graphs are typed by their lowering");
  }
  std::string getDisplayName() const override { return node_.proto.op_type(); }

 private:
  onnx::TensorShapeProto as_shape(const std::vector<MaybeSym>& elements) const {
    onnx::TensorShapeProto shape;
    for (const MaybeSym& s : elements) {
      auto* d = shape.add_dim();
      if (s && s->is_literal())
        d->set_dim_value(s->literal());
      else if (s)
        d->set_dim_param(operands_.syms.text(*s));
    }
    return shape;
  }

  Operands& operands_;
  const NodeView& node_;
  std::vector<onnx::TypeProto> outputs_;
  mutable std::map<size_t, std::unique_ptr<onnx::TensorShapeProto>> symbolic_;
};

bool holds_graph(const onnx::NodeProto& node) {
  for (const auto& a : node.attribute())
    if (a.has_g() || a.graphs_size()) return true;
  return false;
}

/// ONNX's inference of an Einsum does not come back from characters that it does not expect, spaces
/// among them.
bool inference_ends(const NodeView& node) {
  if (node.proto.op_type() != "Einsum") return true;
  static const RE2 kTerms(R"([a-zA-Z]*(\.\.\.[a-zA-Z]*)?(,[a-zA-Z]*(\.\.\.[a-zA-Z]*)?)*(->.*)?)");
  return RE2::FullMatch(node.text("equation"), kTerms);
}

/// The last dim of an Attention's scores: its keys, with those of the past. ONNX's own inference
/// takes an extent that is not known for 0.
void count_keys(Operands& operands, const NodeView& node, std::vector<Type>& outputs) {
  constexpr size_t kKey = 1, kPastKey = 4, kScores = 3;
  if (!node.proto.domain().empty() || node.proto.op_type() != "Attention" ||
      outputs.size() <= kScores || !outputs[kScores].dims || outputs[kScores].dims->empty())
    return;
  const auto given = [&](size_t i) { return i < node.inputs.size() && node.inputs[i]; };
  const auto length = [&](size_t i) -> MaybeSym {
    const int rank = given(i) && operands.type(i).dims ? operands.type(i).rank() : 0;
    return rank >= 3 ? MaybeSym(operands.dim(i, rank - 2)) : MaybeSym();
  };
  MaybeSym keys = length(kKey);
  if (given(kPastKey)) {
    const MaybeSym past = length(kPastKey);
    keys = keys && past ? operands.syms.add(*keys, *past) : MaybeSym();
  }
  outputs[kScores].dims->back() = keys;
}

}  // namespace

std::vector<Type> infer(Operands& operands, const NodeView& node, std::string* problem) {
  std::vector<Type> r(static_cast<size_t>(node.proto.output_size()));
  if (holds_graph(node.proto)) return r;
  if (node.schema && node.schema->has_type_and_shape_inference_function() && inference_ends(node)) {
    Context context(operands, node);
    try {
      node.schema->GetTypeAndShapeInferenceFunction()(context);
    } catch (const std::exception&
                 e) {  // ONNX's functions throw for what they do not know as for what is wrong
      if (problem) *problem = e.what();
    }
    for (size_t i = 0; i < r.size(); i++)
      r[i] = from_proto(*context.getOutputType(i), operands.syms);
  }
  count_keys(operands, node, r);
  return r;
}

}  // namespace onnx2fx::conversion
