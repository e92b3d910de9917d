#include "core/convert/module.hpp"

#include <algorithm>
#include <iterator>

#include "core/build/names.hpp"
#include "core/convert/converter.hpp"
#include "core/convert/fake_quantize.hpp"
#include "core/convert/folded_norms.hpp"
#include "core/convert/folded_views.hpp"
#include "core/convert/index_signs.hpp"
#include "core/convert/node_names.hpp"
#include "core/convert/numbers.hpp"
#include "core/convert/roles.hpp"
#include "core/convert/ties.hpp"
#include "core/convert/zeros.hpp"
#include "core/fx/decimal.hpp"
#include "core/fx/passes.hpp"
#include "core/fx/recover.hpp"

namespace onnx2fx::conversion {
namespace {

// The model's own names, not ours: two inputs may share one, which says that their sizes are equal.
void name_dims(fx::TypeText& text, const onnx::TypeProto& declared) {
  if (!text.shape) return;
  const auto& dims = declared.tensor_type().shape().dim();
  for (int k = 0; k < dims.size() && k < static_cast<int>(text.shape->size()); k++)
    if (!dims[k].dim_param().empty()) (*text.shape)[static_cast<size_t>(k)] = dims[k].dim_param();
}

std::vector<fx::Port> inputs_of(const onnx::GraphProto& graph, Builder& builder) {
  const auto declared = open_inputs(graph);
  std::vector<fx::Port> ports;
  for (const ValueId id : builder.program(0).formal_values) {
    const onnx::ValueInfoProto& input = *declared[ports.size()];
    fx::Port port{builder.node_of(id)->name, input.name(),
                  type_text(builder.type(id), builder.syms)};
    name_dims(port.type, input.type());
    ports.push_back(std::move(port));
  }
  return ports;
}

std::vector<fx::Port> outputs_of(const onnx::GraphProto& graph, const std::vector<ValueId>& values,
                                 Builder& builder) {
  std::vector<fx::Port> ports;
  for (size_t k = 0; k < values.size(); k++) {
    const std::string& name = graph.output(static_cast<int>(k)).name();
    ports.push_back({identifier(name), name, type_text(builder.type(values[k]), builder.syms)});
  }
  return ports;
}

std::vector<std::pair<std::string, std::string>> metadata_of(const onnx::ModelProto& model) {
  std::vector<std::pair<std::string, std::string>> all = {
      {"producer_name", model.producer_name()}, {"producer_version", model.producer_version()}};
  for (const auto& p : model.metadata_props()) all.emplace_back("model." + p.key(), p.value());
  for (const auto& p : model.graph().metadata_props())
    all.emplace_back("graph." + p.key(), p.value());
  return all;
}

// A tensor waiting for its bytes: until find_bytes, the offset is the index of its entry.
constexpr uint32_t kPending = UINT32_MAX;

std::vector<fx::Tensor> pending_tensors(Builder& builder) {
  std::vector<fx::Tensor> all;
  for (const TensorEntry& e : builder.tensors()) {
    fx::Tensor t;
    t.name = e.name;
    t.dtype = weights::carrier(e.dtype);
    t.dims = e.dims;
    t.data.where = fx::FileRange{kPending, all.size(), 0};
    all.push_back(std::move(t));
  }
  return all;
}

TensorEntry& entry_of(Builder& builder, const fx::Tensor& t) {
  return builder.tensors()[std::get<fx::FileRange>(t.data.where).offset];
}

std::vector<TensorEntry*> entries_of(Builder& builder, const fx::Module& module) {
  std::vector<TensorEntry*> entries;
  for (const fx::Tensor& t : module.tensors) entries.push_back(&entry_of(builder, t));
  return entries;
}

bool is_weight(const TensorEntry& e, fx::Role role) {
  return role == fx::Role::kParameter || e.role == O2FX_ROLE_MUTATED;
}

// Weightless: whether a tensor keeps its value, since it is small, no weight, and there.
bool stays_real(Tensors& tensors, const TensorEntry& e, fx::Role role) {
  constexpr uint64_t kMaxBytes = 1024;  // of what the lowering says is data, not a constant
  if (is_weight(e, role)) return false;
  if (!e.proto && !e.sparse) return true;
  const bool small = weights::packed_size(e.dtype, static_cast<uint64_t>(e.count())) <= kMaxBytes;
  return (small || role == fx::Role::kConstant) && !tensors.absent(e);
}

weights::Store::Rest rest_of(Tensors& tensors, const TensorEntry& e, fx::Role role,
                             weights::Mode mode) {
  using Rest = weights::Store::Rest;
  if (mode == weights::Mode::kMeta)
    return stays_real(tensors, e, role) ? Rest::kCopied : Rest::kByLastRule;
  return mode == weights::Mode::kRandom && !is_weight(e, role) ? Rest::kOwn : Rest::kByLastRule;
}

fx::TensorData data_of(Tensors& tensors, TensorEntry& e, fx::Role role, weights::Mode mode) {
  const weights::Store::Rest rest = rest_of(tensors, e, role, mode);
  if (e.proto) return tensors.store().data(*e.proto, e.name, rest);
  if (rest == weights::Store::Rest::kByLastRule && mode == weights::Mode::kMeta) return {};
  return {std::make_shared<const std::string>(
      weights::unpack(e.dtype, tensors.bytes(e), static_cast<uint64_t>(e.count())))};
}

}  // namespace

fx::Module make_module(const onnx::ModelProto& model, const std::vector<ValueId>& outputs,
                       Builder& builder, Tensors& tensors, const Options& options,
                       std::vector<Diagnostic>& warnings) {
  fx::Module m;
  m.inputs = inputs_of(model.graph(), builder);
  m.outputs = outputs_of(model.graph(), outputs, builder);
  m.metadata = metadata_of(model);
  m.programs = builder.finish(outputs, true);
  m.tensors = pending_tensors(builder);
  fx::drop_dead_nodes(m);
  fake_quantize(m, entries_of(builder, m), tensors);
  read_indices_as_they_are(m, entries_of(builder, m), tensors);
  fx::drop_dead_nodes(m);
  const std::vector<TensorEntry*> entries = entries_of(builder, m);
  const Signature signature(model.graph());
  {
    const Evidence evidence(m);
    assign_roles(m, entries, model, signature, evidence, tensors, options);
    name_folded_weights(m, entries, signature, evidence);
  }
  rename_folded_norms(m);
  restore_shapes(m, entries, signature);
  std::ranges::move(untrained_parameters(m, entries, signature), std::back_inserter(warnings));
  tie_transposed(m, entries, signature, tensors);
  tie_copies(m, entries, tensors);
  drop_zero_biases(m, entries, tensors);
  fx::write_decimals(m);
  if (options.recover == Recover::kOn) {
    fx::recover_topk(m);
    fx::recover_composites(m, [&](uint32_t i) -> std::optional<double> {
      const fx::Argument n = number_of(m.tensors[i], *entries[i], tensors);
      if (const int64_t* whole = n.as<int64_t>()) return static_cast<double>(*whole);
      return n.as<double>() ? std::optional(*n.as<double>()) : std::nullopt;
    });
  }
  return m;
}

void simplify(fx::Module& module, Builder& builder, Tensors& tensors) {
  const std::vector<TensorEntry*> entries = entries_of(builder, module);
  drop_zero_states(module, entries, tensors);
  write_numbers(module, entries, tensors);
  fx::drop_dead_nodes(module);
  name_nodes(module);
}

void find_bytes(fx::Module& module, Builder& builder, Tensors& tensors, weights::Mode mode) {
  for (fx::Tensor& t : module.tensors)
    t.data = data_of(tensors, entry_of(builder, t), t.role, mode);
}

}  // namespace onnx2fx::conversion
