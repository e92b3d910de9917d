// From the lowered graph to the finished module: inputs, roles, tensors, passes.
#include <algorithm>
#include <set>

#include "core/build/names.hpp"
#include "core/convert/converter.hpp"
#include "core/fx/passes.hpp"
#include "core/include/onnx2fx/glob.hpp"

namespace onnx2fx::conversion {
namespace {

// A tensor waiting for its bytes: until the dead ones are gone, the offset is the index of the
// entry.
constexpr uint32_t kPending = UINT32_MAX;

bool is_trainable_dtype(int32_t d) {
  return d == onnx::TensorProto::FLOAT || d == onnx::TensorProto::FLOAT16 ||
         d == onnx::TensorProto::DOUBLE || d == onnx::TensorProto::BFLOAT16;
}

int64_t count(const TensorEntry& t) {
  int64_t n = 1;
  for (const int64_t d : t.dims) n *= d;
  return n;
}

// What nobody claimed: floats of more than one element are weights, single floats are constants of
// the graph.
fx::Role role_of(const TensorEntry& t) {
  switch (t.role) {
    case O2FX_ROLE_PARAMETER:
      return is_trainable_dtype(t.dtype) ? fx::Role::kParameter : fx::Role::kBuffer;
    case O2FX_ROLE_BUFFER:
    case O2FX_ROLE_MUTATED:
      return fx::Role::kBuffer;
    case O2FX_ROLE_CONSTANT:
      return fx::Role::kConstant;
    default:
      break;
  }
  if (is_trainable_dtype(t.dtype)) return count(t) > 1 ? fx::Role::kParameter : fx::Role::kConstant;
  return fx::Role::kBuffer;
}

// The model's own names, not ours: two inputs may share one, which says that their sizes are equal.
void name_dims(fx::TypeText& text, const onnx::TypeProto& declared) {
  if (!text.shape) return;
  const auto& dims = declared.tensor_type().shape().dim();
  for (int k = 0; k < dims.size() && k < static_cast<int>(text.shape->size()); k++)
    if (!dims[k].dim_param().empty()) (*text.shape)[static_cast<size_t>(k)] = dims[k].dim_param();
}

bool matches(const std::vector<std::string>& globs, const std::string& name) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& g) { return glob_matches(g, name); });
}

}  // namespace

fx::Module Converter::run(const prepare::Prepared& prepared, Report& report) {
  report_ = &report;
  report.warnings = prepared.warnings;
  opsets_ = prepared.opsets;
  const onnx::GraphProto& graph = file_.model.graph();
  count_uses(graph);
  Scope scope;
  scope.opsets = &opsets_;
  std::set<std::string> initialised;
  for (const auto& t : graph.initializer()) initialised.insert(t.name());
  for (const auto& t : graph.sparse_initializer()) initialised.insert(t.values().name());
  for (const auto& i : graph.input()) {
    if (initialised.count(i.name())) continue;
    Type type = from_proto(i.type(), builder.syms);
    const ValueId id = builder.placeholder(i.name(), type);
    Value& v = builder.value(id);
    if (v.type.dims)
      for (size_t k = 0; k < v.type.dims->size(); k++)
        if (!(*v.type.dims)[k])
          (*v.type.dims)[k] =
              builder.syms.dim(id, static_cast<int64_t>(k),
                               i.type().tensor_type().shape().dim(static_cast<int>(k)).dim_param());
    scope.values[i.name()] = id;
  }
  if (const Faults faults = lower_graph(graph, scope); !faults.empty()) raise(faults);
  return finish(graph, scope);
}

fx::Module Converter::finish(const onnx::GraphProto& graph, const Scope& scope) {
  fx::Module m;
  const std::vector<ValueId> outputs = outputs_of(graph, scope);
  builder.set_provenance(nullptr, "");
  for (const ValueId id : builder.program(0).formal_values) {
    const fx::Node& n = *builder.node_of(id);
    m.inputs.push_back({n.name, "", type_text(builder.type(id), builder.syms)});
  }
  size_t input = 0;
  for (const auto& i : graph.input())
    if (input < m.inputs.size() &&
        builder.program(0).formal_values[input] == scope.find(i.name())) {
      name_dims(m.inputs[input].type, i.type());
      m.inputs[input++].onnx_name = i.name();
    }
  for (size_t k = 0; k < outputs.size(); k++) {
    const std::string& name = graph.output(static_cast<int>(k)).name();
    m.outputs.push_back(
        {identifier(name), name, type_text(builder.type(outputs[k]), builder.syms)});
  }
  m.programs = builder.finish(outputs, true);
  auto& entries = builder.tensors();
  for (size_t i = 0; i < entries.size(); i++) {
    const TensorEntry& e = entries[i];
    fx::Tensor t;
    t.name = e.name;
    t.dtype = weights::carrier(e.dtype);
    t.dims = e.dims;
    t.role = role_of(e);
    if (matches(options.frozen, e.name) && t.role == fx::Role::kParameter)
      t.requires_grad = false;
    else
      t.requires_grad = t.role == fx::Role::kParameter;
    if (matches(options.trainable, e.name) && is_trainable_dtype(e.dtype)) {
      t.role = fx::Role::kParameter;
      t.requires_grad = true;
    }
    t.data.where = fx::FileRange{kPending, i, 0};
    m.tensors.push_back(std::move(t));
  }
  fx::drop_dead_nodes(m);
  for (fx::Tensor& t : m.tensors)
    t.data = data_of(entries[std::get<fx::FileRange>(t.data.where).offset], t.role);
  for (const Diagnostic& w : store.settle()) report_->warnings.push_back(w);
  m.sources = store.sources();
  fx::assign_paths(m);
  if (options.dialect == fx::Dialect::kNn) fx::raise_modules(m);
  m.metadata = {{"producer_name", file_.model.producer_name()},
                {"producer_version", file_.model.producer_version()}};
  for (const auto& p : file_.model.metadata_props())
    m.metadata.emplace_back("model." + p.key(), p.value());
  for (const auto& p : graph.metadata_props())
    m.metadata.emplace_back("graph." + p.key(), p.value());
  return m;
}

// Weightless: whether a tensor keeps its value, since it is small, no weight, and there.
bool Converter::stays(const TensorEntry& e, fx::Role role) {
  constexpr uint64_t kMaxBytes = 1024;
  if (role == fx::Role::kParameter || e.role == O2FX_ROLE_MUTATED) return false;
  if (!e.proto && !e.sparse) return true;
  return weights::packed_size(e.dtype, static_cast<uint64_t>(count(e))) <= kMaxBytes && !absent(e);
}

fx::TensorData Converter::data_of(TensorEntry& e, fx::Role role) {
  const bool weightless = options.weights == weights::Mode::kMeta;
  if (e.proto) return store.data(*e.proto, e.name, weightless && stays(e, role));
  if (weightless && !stays(e, role)) return {};
  return {std::make_shared<const std::string>(
      weights::unpack(e.dtype, bytes(e), static_cast<uint64_t>(count(e))))};
}

}  // namespace onnx2fx::conversion
