#include "core/build/operands.hpp"

#include <algorithm>

#include "core/shapes/elements.hpp"
#include "core/shapes/infer.hpp"
#include "core/shapes/real.hpp"

namespace onnx2fx::conversion {

// Small float constants are read when a rule asks for them: most are weights, and stay where they
// lie.
const std::vector<MaybeSym>* NodeOperands::elements(size_t i) {
  Value& v = value(i);
  if (!v.type.is_tensor()) return nullptr;
  if (!v.reals && v.source == ValueSource::kTensor && is_tracked_float(v.type.dtype)) read_reals(v);
  return v.ints ? &*v.ints : v.reals ? &*v.reals : nullptr;
}

void NodeOperands::read_reals(Value& v) {
  TensorEntry& t = builder_.tensors()[v.tensor];
  const auto n = count_of(t.dims);
  if (!n || *n > kMaxMade || t.role == O2FX_ROLE_MUTATED || v.absent) return;
  v.absent = tensors_.absent(t);
  if (!v.absent) v.reals = constant_reals(syms, t.dtype, tensors_.bytes(t));
}

MaybeSym NodeOperands::measured(size_t i, int64_t axis) {
  const ValueId of = value(i).shape_of;
  return of ? MaybeSym(builder_.dim(of, axis)) : MaybeSym();
}

const onnx::TypeProto* NodeOperands::type_proto(size_t i) {
  Value& v = value(i);
  if (!v.proto) {
    v.proto = std::make_shared<onnx::TypeProto>();
    if (!to_proto(v.type, syms, v.proto.get())) v.proto->Clear();
  }
  return v.proto->value_case() ? v.proto.get() : nullptr;
}

static bool is_literal_list(const Value& v) {
  const int32_t dtype = v.type.dtype;
  return v.ints && v.type.count() &&
         (dtype == onnx::TensorProto::INT64 || dtype == onnx::TensorProto::INT32) &&
         std::all_of(v.ints->begin(), v.ints->end(),
                     [](const MaybeSym& s) { return s && s->is_literal(); });
}

const onnx::TensorProto* NodeOperands::tensor_proto(size_t i) {
  Value& v = value(i);
  if (v.source == ValueSource::kTensor)
    if (const onnx::TensorProto* t = builder_.tensors()[v.tensor].proto;
        t && read::weight_index(*t) < 0)
      return t;
  if (v.data_proto) return v.data_proto.get();
  if (!is_literal_list(v)) return nullptr;
  v.data_proto = std::make_shared<onnx::TensorProto>();
  v.data_proto->set_data_type(v.type.dtype);
  for (const MaybeSym& d : *v.type.dims) v.data_proto->add_dims(d->literal());
  for (const MaybeSym& s : *v.ints) {
    if (v.type.dtype == onnx::TensorProto::INT64)
      v.data_proto->add_int64_data(s->literal());
    else
      v.data_proto->add_int32_data(static_cast<int32_t>(s->literal()));
  }
  return v.data_proto.get();
}

std::shared_ptr<const Absent> absent_behind(Builder& builder, const NodeView& node,
                                            const Type& output) {
  if (!is_tracked(node, output)) return nullptr;
  std::shared_ptr<const Absent> first;
  for (const ValueId id : node.inputs) {
    if (!id) continue;
    const Value& v = builder.value(id);
    if (!v.absent && !v.ints && !v.reals) return nullptr;
    if (!first) first = v.absent;
  }
  return first;
}

}  // namespace onnx2fx::conversion
