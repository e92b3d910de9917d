#include "core/shapes/infer.hpp"

#include <onnx/defs/shape_inference.h>

#include <string_view>

#include "core/read/model_file.hpp"
#include "core/weights/weights.hpp"

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
  Context(Builder& builder, const NodeView& node)
      : builder_(builder), node_(node), outputs_(static_cast<size_t>(node.proto.output_size())) {}

  const onnx::AttributeProto* getAttribute(const std::string& name) const override {
    return node_.attribute(name);
  }
  size_t getNumInputs() const override { return node_.inputs.size(); }
  bool hasInput(size_t i) const override { return i < node_.inputs.size() && node_.inputs[i]; }
  const onnx::TypeProto* getInputType(size_t i) const override {
    if (!hasInput(i)) return nullptr;
    Value& v = builder_.value(node_.inputs[i]);
    if (!v.proto) {
      v.proto = std::make_shared<onnx::TypeProto>();
      if (!to_proto(v.type, builder_.syms, v.proto.get())) v.proto->Clear();
    }
    return v.proto->value_case() ? v.proto.get() : nullptr;
  }
  const onnx::TensorProto* getInputData(size_t i) const override {
    if (!hasInput(i)) return nullptr;
    Value& v = builder_.value(node_.inputs[i]);
    if (v.source == ValueSource::kTensor)
      if (const onnx::TensorProto* t = builder_.tensors()[v.tensor].proto;
          t && read::weight_index(*t) < 0)
        return t;
    return v.ints ? literal_data(v) : nullptr;
  }
  const onnx::SparseTensorProto* getInputSparseData(size_t) const override { return nullptr; }
  const onnx::TensorShapeProto* getSymbolicInput(size_t i) const override {
    if (!hasInput(i)) return nullptr;
    const Value& v = builder_.value(node_.inputs[i]);
    if (!v.ints || v.type.rank() > 1) return nullptr;
    auto& shape = symbolic_[i];
    if (!shape) {
      shape = std::make_unique<onnx::TensorShapeProto>();
      for (const MaybeSym& s : *v.ints) {
        auto* d = shape->add_dim();
        if (s && s->is_literal())
          d->set_dim_value(s->literal());
        else if (s)
          d->set_dim_param(builder_.syms.text(*s));
      }
    }
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
  static const onnx::TensorProto* literal_data(Value& v) {
    if (v.data_proto) return v.data_proto.get();
    const int32_t dtype = v.type.dtype;
    if (dtype != onnx::TensorProto::INT64 && dtype != onnx::TensorProto::INT32) return nullptr;
    if (!v.type.count()) return nullptr;
    for (const MaybeSym& s : *v.ints)
      if (!s || !s->is_literal()) return nullptr;
    auto t = std::make_shared<onnx::TensorProto>();
    t->set_data_type(dtype);
    for (const MaybeSym& d : *v.type.dims) t->add_dims(d->literal());
    for (const MaybeSym& s : *v.ints) {
      if (dtype == onnx::TensorProto::INT64)
        t->add_int64_data(s->literal());
      else
        t->add_int32_data(static_cast<int32_t>(s->literal()));
    }
    v.data_proto = std::move(t);
    return v.data_proto.get();
  }

  Builder& builder_;
  const NodeView& node_;
  std::vector<onnx::TypeProto> outputs_;
  mutable std::map<size_t, std::unique_ptr<onnx::TensorShapeProto>> symbolic_;
};

bool holds_graph(const onnx::NodeProto& node) {
  for (const auto& a : node.attribute())
    if (a.has_g() || a.graphs_size()) return true;
  return false;
}

}  // namespace

std::vector<Type> infer(Builder& builder, const NodeView& node, std::string* problem) {
  std::vector<Type> r(static_cast<size_t>(node.proto.output_size()));
  if (holds_graph(node.proto)) return r;
  if (node.schema && node.schema->has_type_and_shape_inference_function()) {
    Context context(builder, node);
    try {
      node.schema->GetTypeAndShapeInferenceFunction()(context);
    } catch (const std::exception&
                 e) {  // ONNX's functions throw for what they do not know as for what is wrong
      if (problem) *problem = e.what();
    }
    for (size_t i = 0; i < r.size(); i++)
      r[i] = from_proto(*context.getOutputType(i), builder.syms);
  }
  if (!r.empty()) apply_shape_rules(builder, node, r);
  return r;
}

bool is_small_integer(const onnx::TensorProto& tensor) {
  constexpr uint64_t kMaxBytes = 1024;  // as many as the reader copies out of the model
  const int32_t dtype = tensor.data_type();
  if (dtype != onnx::TensorProto::INT64 && dtype != onnx::TensorProto::INT32 &&
      dtype != onnx::TensorProto::BOOL)
    return false;
  return weights::packed_size(dtype, weights::element_count(tensor.dims())) <= kMaxBytes;
}

std::optional<std::vector<MaybeSym>> constant_ints(const onnx::TensorProto& tensor,
                                                   std::optional<std::span<const uint8_t>> bytes) {
  if (!bytes && read::weight_index(tensor) >= 0) return {};
  const int32_t dtype = tensor.data_type();
  size_t n = 1;
  for (const int64_t d : tensor.dims()) {
    if (d < 0 || d > 4096) return {};
    n *= static_cast<size_t>(d);
    if (n > 4096) return {};
  }
  std::vector<MaybeSym> r;
  const std::string& own = tensor.raw_data();
  const std::string_view raw =
      bytes ? std::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : own;
  const auto take = [&](size_t size, auto element) {
    if (raw.size() != n * size) return false;
    for (size_t i = 0; i < n; i++) r.push_back(Sym(element(raw.data() + i * size)));
    return true;
  };
  const auto as = []<class T>(const char* p, T x) {
    std::memcpy(&x, p, sizeof x);
    return static_cast<int64_t>(x);
  };
  if (bytes || tensor.has_raw_data()) {
    const bool ok =
        dtype == onnx::TensorProto::INT64 ? take(8, [&](const char* p) { return as(p, int64_t{}); })
        : dtype == onnx::TensorProto::INT32
            ? take(4, [&](const char* p) { return as(p, int32_t{}); })
        : dtype == onnx::TensorProto::BOOL ? take(1, [](const char* p) { return int64_t{*p != 0}; })
                                           : false;
    if (!ok) return {};
  } else if (dtype == onnx::TensorProto::INT64) {
    for (const int64_t x : tensor.int64_data()) r.push_back(Sym(x));
  } else if (dtype == onnx::TensorProto::INT32 || dtype == onnx::TensorProto::BOOL) {
    for (const int32_t x : tensor.int32_data())
      r.push_back(Sym(dtype == onnx::TensorProto::BOOL ? x != 0 : x));
  } else {
    return {};
  }
  return r.size() == n ? std::optional(std::move(r)) : std::nullopt;
}

}  // namespace onnx2fx::conversion
