// torch.nn.functional.interpolate for the upsampling overloads that it calls: to a size or by
// factors.
#include <algorithm>
#include <array>

#include "core/fx/passes.hpp"

namespace onnx2fx::fx {
namespace {

struct Row {
  std::string_view target;
  const char* mode;
  bool antialias = false;
};
constexpr auto kRows = std::to_array<Row>({
    {"aten::_upsample_bicubic2d_aa.vec", "bicubic", true},
    {"aten::_upsample_bilinear2d_aa.vec", "bilinear", true},
    {"aten::upsample_bicubic2d.vec", "bicubic"},
    {"aten::upsample_bilinear2d.vec", "bilinear"},
    {"aten::upsample_linear1d.vec", "linear"},
    {"aten::upsample_nearest1d.vec", "nearest"},
    {"aten::upsample_nearest2d.vec", "nearest"},
    {"aten::upsample_nearest3d.vec", "nearest"},
    {"aten::upsample_trilinear3d.vec", "trilinear"},
});

/// (input, output_size?, align_corners unless nearest, scale_factors?)
void write(const Row& row, Node& call) {
  const bool by_size = !call.args[1].is_none();
  std::vector<NamedArgument> named{
      {by_size ? "size" : "scale_factor", by_size ? call.args[1] : call.args.back()},
      {"mode", std::string(row.mode)}};
  if (call.args.size() == 4) named.emplace_back("align_corners", call.args[2]);
  if (row.antialias) named.emplace_back("antialias", true);
  call.target = "torch.nn.functional::interpolate";
  call.args.resize(1);
  call.kwargs = std::move(named);
}

}  // namespace

void write_interpolations(Module& module) {
  for (Program& program : module.programs) {
    for (Node& n : program.nodes) {
      const Row* row = std::ranges::find(kRows, n.target, &Row::target);
      const size_t all = row != kRows.end() && std::string_view(row->mode) == "nearest" ? 3 : 4;
      if (row == kRows.end() || n.args.size() != all || !n.kwargs.empty()) continue;
      if (n.args[1].is_none() != n.args.back().is_none()) write(*row, n);
    }
  }
}

}  // namespace onnx2fx::fx
