#include "core/fx/passes.hpp"

namespace onnx2fx::fx {
namespace {

bool always(const Options&) { return true; }
bool nn_dialect(const Options& options) { return options.dialect == Dialect::kNn; }
bool recovers(const Options& options) {
  return nn_dialect(options) && options.recover == Recover::kOn;
}
bool nested(const Options& options) {
  return nn_dialect(options) && options.blocks == Blocks::kNested;
}

struct Pass {
  const char* name;
  void (*run)(Module&);
  bool (*wanted)(const Options&);
};
constexpr Pass kPasses[] = {
    {"shrink_index_operands", shrink_index_operands, always},
    {"restore_rows", restore_rows, always},
    {"stack_layers", stack_layers, nn_dialect},  // of parameters as they are stored
    {"set_batch_first", set_batch_first, always},
    {"recover_cells", recover_cells, recovers},
    {"drop_dead_nodes", drop_dead_nodes, always},  // what nothing reads takes no path, owns nothing
    {"assign_paths", assign_paths, always},        // of tensors
    {"raise_modules", raise_modules, nn_dialect},  // under the paths of their tensors
    {"raise_plain_modules", raise_plain_modules, nested},
    {"follow_dtypes", follow_dtypes, nn_dialect},
    {"write_interpolations", write_interpolations, nn_dialect},
    {"write_subscripts", write_subscripts, nn_dialect},  // x[:, 1:], as a person writes it
    {"use_nn_names", use_nn_names, nn_dialect},          // of the calls that are left
    {"drop_dead_nodes", drop_dead_nodes, nn_dialect}     // what the modules took over
};

}  // namespace

std::vector<std::string> pass_names() {
  std::vector<std::string> names;
  for (const Pass& pass : kPasses) names.emplace_back(pass.name);
  names.emplace_back("nest_blocks");
  return names;
}

void run_passes(Module& module, const Options& options) {
  module.dialect = options.dialect;
  module.weights_layout = options.weights_layout;
  for (const Pass& pass : kPasses) {
    if (pass.wanted(options)) pass.run(module);
  }
}

}  // namespace onnx2fx::fx
