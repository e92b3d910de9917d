#include "core/plugin/listing.hpp"

#include "core/plugin/manifest.hpp"

namespace onnx2fx::plugin {

Json plugins_json(const Registry& registry) {
  Json all = Json::array();
  for (const ListedPlugin& p : registry.plugins())
    all.push_back({{"id", p.id},
                   {"version", p.version},
                   {"ops", p.n_ops},
                   {"weights", p.schemes},
                   {"status", p.status},
                   {"library", p.library},
                   {"descriptor", p.descriptor}});
  return all;
}

std::vector<EffectiveOp> rows_of(const Registry& registry, const Options& options) {
  if (!options.manifest.empty() || !options.op_set.empty()) return registry.effective_ops();
  std::vector<EffectiveOp> all;
  for (const ProvidedOp& op : registry.ops())
    all.push_back({op.domain, op.op_type, op.since, op.until, op.provider, {}});
  return all;
}

Json ops_json(const std::vector<EffectiveOp>& rows) {
  Json all = Json::array();
  for (const EffectiveOp& op : rows)
    all.push_back({{"domain", op.domain},
                   {"op", op.op_type},
                   {"since", op.since},
                   {"until", op.until ? Json(op.until) : Json(nullptr)},
                   {"provider", op.conflict ? Json(nullptr) : Json(op.provider)}});
  return all;
}

Json op_sets_json(const Registry& registry) {
  Json all = Json::array();
  for (const std::string& name : registry.manifest().op_sets)
    all.push_back({{"name", name}, {"in_force", name == registry.manifest().op_set_name}});
  return all;
}

}  // namespace onnx2fx::plugin
