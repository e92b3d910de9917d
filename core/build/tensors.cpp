#include "core/build/tensors.hpp"

#include "core/shapes/elements.hpp"

namespace onnx2fx::conversion {

void Tensors::count_uses(const onnx::GraphProto& graph) {
  for (const auto& n : graph.node()) {
    for (const std::string& i : n.input()) uses_[i]++;
    for (const auto& a : n.attribute()) {
      if (a.has_g()) count_uses(a.g());
      for (const auto& g : a.graphs()) count_uses(g);
    }
  }
  for (const auto& o : graph.output()) uses_[o.name()]++;
}

ValueId Tensors::known(const void* proto) const {
  const auto it = of_model_.find(proto);
  return it != of_model_.end() && builder_.alive(it->second) ? it->second : 0;
}

TensorEntry Tensors::entry_of(const onnx::TensorProto& described, const std::string& name) const {
  TensorEntry t;
  t.name = name;
  t.dtype = described.data_type();
  const auto uses = uses_.find(name);
  t.uses = uses == uses_.end() ? 0 : uses->second;
  return t;
}

ValueId Tensors::of_model(const onnx::TensorProto& tensor, const std::string& name, bool in_node) {
  if (const ValueId id = known(&tensor)) return id;
  TensorEntry t = entry_of(tensor, name);
  t.dims.assign(tensor.dims().begin(), tensor.dims().end());
  t.proto = &tensor;
  t.in_node = in_node;
  const bool in_file = read::weight_index(tensor) >= 0 && is_small_integer(tensor);
  std::shared_ptr<const Absent> missing = in_file ? absent(t) : nullptr;
  const ValueId id = builder_.add_tensor(std::move(t));
  Value& v = builder_.value(id);
  v.ints = in_file && !missing ? constant_ints(tensor, store_.bytes(tensor, name))
                               : constant_ints(tensor);
  v.absent = std::move(missing);
  return of_model_[&tensor] = id;
}

ValueId Tensors::of_model(const onnx::SparseTensorProto& tensor, const std::string& name) {
  if (const ValueId id = known(&tensor)) return id;
  TensorEntry t = entry_of(tensor.values(), name);
  t.dims.assign(tensor.dims().begin(), tensor.dims().end());
  t.sparse = &tensor;
  return of_model_[&tensor] = builder_.add_tensor(std::move(t));
}

static std::string content_of(const TensorEntry& t) {
  std::string key = t.identity + "|" + std::to_string(t.dtype) + "|" + std::to_string(t.role);
  for (const int64_t d : t.dims) key += "|" + std::to_string(d);
  return key + "|" + *t.bytes;
}

ValueId Tensors::constant(TensorEntry t) {
  constexpr uint64_t kMaxTracked = 64;
  std::string key = content_of(t);
  if (const auto it = constants_.find(key); it != constants_.end() && builder_.alive(it->second))
    return it->second;
  std::optional<std::vector<MaybeSym>> ints;  // small integers take part in shape tracking
  uint64_t n = 1;
  for (const int64_t d : t.dims) n *= static_cast<uint64_t>(d);
  if (n <= kMaxTracked && t.role != O2FX_ROLE_MUTATED) {
    onnx::TensorProto proto;
    proto.set_data_type(t.dtype);
    for (const int64_t d : t.dims) proto.add_dims(d);
    proto.set_raw_data(*t.bytes);
    ints = constant_ints(proto);
  }
  const ValueId id = builder_.add_tensor(std::move(t));
  builder_.value(id).ints = std::move(ints);
  return constants_[std::move(key)] = id;
}

std::span<const uint8_t> Tensors::bytes(TensorEntry& t) {
  if (t.proto) return store_.bytes(*t.proto, t.name);
  if (!t.bytes) t.bytes = std::make_shared<const std::string>(store_.dense(*t.sparse));
  return {reinterpret_cast<const uint8_t*>(t.bytes->data()), t.bytes->size()};
}

std::shared_ptr<const Absent> Tensors::absent(const TensorEntry& t) {
  std::vector<const onnx::TensorProto*> parts;
  if (t.proto) parts = {t.proto};
  if (t.sparse) parts = {&t.sparse->values(), &t.sparse->indices()};
  for (const onnx::TensorProto* part : parts)
    if (auto file = store_.absent_file(*part, t.name))
      return std::make_shared<const Absent>(Absent{t.name, std::move(*file)});
  return nullptr;
}

}  // namespace onnx2fx::conversion
