#include "core/convert/folded_norms.hpp"

#include "core/fx/paths.hpp"
#include "core/fx/provenance.hpp"

namespace onnx2fx::conversion {
namespace {

bool holds_norm(const fx::Node& n) {
  const std::string* rules =
      n.onnx ? fx::property(*n.onnx, "pkg.onnxscript.rewriter.rule_name") : nullptr;
  return rules && rules->find("FuseBatchNorm") != std::string::npos;
}

void rename(fx::Tensor& t, const std::string& op_type) {
  const std::string path = fx::path_of(t.name), last = fx::last_part(path);
  if (last != "weight" && last != "bias" && last != "weight_bias") return;
  const std::string scope = path.substr(0, path.size() - last.size());
  t.role_because = "exporter: '" + t.name + "', with a normalization folded into it";
  t.path = scope + op_type + (last == "weight" ? ".weight" : ".bias");
  t.named_by_author = false;
}

}  // namespace

void rename_folded_norms(fx::Module& module) {
  const fx::Program& root = module.programs[0];
  for (const fx::Node& n : root.nodes) {
    if (!holds_norm(n)) continue;
    fx::for_each_ref(n, [&](const fx::NodeRef& r) {
      const std::optional<uint32_t>& tensor = root.nodes[r.index].tensor;
      if (tensor) rename(module.tensors[*tensor], n.onnx->op_type);
    });
  }
}

}  // namespace onnx2fx::conversion
