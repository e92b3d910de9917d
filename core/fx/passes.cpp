#include "core/fx/passes.hpp"

namespace onnx2fx::fx {
namespace {

bool always(const Options&) { return true; }
bool nn_dialect(const Options& options) { return options.dialect == Dialect::kNn; }

struct Pass {
  void (*run)(Module&);
  bool (*wanted)(const Options&);
};
constexpr Pass kPasses[] = {
    {drop_dead_nodes, always},     // what nothing reads takes no path and owns no tensor
    {assign_paths, always},        // of tensors
    {raise_modules, nn_dialect},   // under the paths of their tensors
    {use_nn_names, nn_dialect},    // of the calls that are left
    {drop_dead_nodes, nn_dialect}  // what the modules took over
};

}  // namespace

void run_passes(Module& module, const Options& options) {
  module.dialect = options.dialect;
  for (const Pass& pass : kPasses) {
    if (pass.wanted(options)) pass.run(module);
  }
}

}  // namespace onnx2fx::fx
