// Modules of torch.nn without weights that are one call: nn.ReLU, nn.MaxPool2d. What they are does
// not follow from the call, which may be the author's own: the exporter says it.
#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/fx/module_raiser.hpp"
#include "core/fx/passes.hpp"
#include "core/fx/paths.hpp"
#include "core/fx/scopes.hpp"

namespace onnx2fx::fx {
namespace {

/// The class computes the call of its arguments; those of the call that are not named have their
/// defaults.
struct PlainClass {
  std::string_view target;
  NnClass type;
  std::vector<std::string_view> keywords = {};
};

const std::vector<PlainClass>& plain_classes() {
  using Keywords = std::vector<std::string_view>;
  static const Keywords kMax = {"kernel_size", "stride", "padding", "dilation", "ceil_mode"};
  static const Keywords kAverage1d = {"kernel_size", "stride", "padding", "ceil_mode",
                                      "count_include_pad"};
  static const Keywords kAverage = {"kernel_size",       "stride",          "padding", "ceil_mode",
                                    "count_include_pad", "divisor_override"};
  static const std::vector<PlainClass> kAll = {
      {"aten::adaptive_avg_pool1d", NnClass::kAdaptiveAvgPool1d, {"output_size"}},
      {"aten::adaptive_avg_pool2d", NnClass::kAdaptiveAvgPool2d, {"output_size"}},
      {"aten::adaptive_avg_pool3d", NnClass::kAdaptiveAvgPool3d, {"output_size"}},
      {"aten::avg_pool1d", NnClass::kAvgPool1d, kAverage1d},
      {"aten::avg_pool2d", NnClass::kAvgPool2d, kAverage},
      {"aten::avg_pool3d", NnClass::kAvgPool3d, kAverage},
      {"aten::celu", NnClass::kCELU, {"alpha"}},
      {"aten::channel_shuffle", NnClass::kChannelShuffle, {"groups"}},
      {"aten::elu", NnClass::kELU, {"alpha"}},
      {"aten::flatten.using_ints", NnClass::kFlatten, {"start_dim", "end_dim"}},
      {"aten::gelu", NnClass::kGELU, {"approximate"}},
      {"aten::glu", NnClass::kGLU, {"dim"}},
      {"aten::hardsigmoid", NnClass::kHardsigmoid},
      {"aten::hardswish", NnClass::kHardswish},
      {"aten::hardtanh", NnClass::kHardtanh, {"min_val", "max_val"}},
      {"aten::leaky_relu", NnClass::kLeakyReLU, {"negative_slope"}},
      {"aten::log_sigmoid", NnClass::kLogSigmoid},
      {"aten::log_softmax.int", NnClass::kLogSoftmax, {"dim"}},
      {"aten::max_pool1d", NnClass::kMaxPool1d, kMax},
      {"aten::max_pool2d", NnClass::kMaxPool2d, kMax},
      {"aten::max_pool3d", NnClass::kMaxPool3d, kMax},
      {"aten::mish", NnClass::kMish},
      {"aten::pixel_shuffle", NnClass::kPixelShuffle, {"upscale_factor"}},
      {"aten::pixel_unshuffle", NnClass::kPixelUnshuffle, {"downscale_factor"}},
      {"aten::relu", NnClass::kReLU},
      {"aten::relu6", NnClass::kReLU6},
      {"aten::selu", NnClass::kSELU},
      {"aten::sigmoid", NnClass::kSigmoid},
      {"aten::silu", NnClass::kSiLU},
      {"aten::softmax.int", NnClass::kSoftmax, {"dim"}},
      {"aten::softplus", NnClass::kSoftplus, {"beta", "threshold"}},
      {"aten::tanh", NnClass::kTanh},
  };
  return kAll;
}

bool names_a_node(const Argument& a) {
  bool found = false;
  for_each_ref(a, [&](NodeRef) { found = true; });
  return found;
}

/// [2, 2] as a person writes it: 2.
Argument plain(const Argument& a) {
  const List* list = a.as<List>();
  const bool even = list && !list->empty() &&
                    std::ranges::all_of(*list, [&](const Argument& x) { return x == (*list)[0]; });
  return even ? (*list)[0] : a;
}

/// The module of torch.nn that the call is, without a path. nullopt: it is none of that class.
std::optional<Submodule> module_of(const Node& n, std::string_view type) {
  const auto row = std::ranges::find_if(plain_classes(), [&](const PlainClass& c) {
    return c.target == n.target && name_of(c.type) == type;
  });
  if (row == plain_classes().end()) return std::nullopt;
  const Schema& schema = *find_schema(n.target);
  const auto bound = bind_arguments(schema, n);
  if (!bound || !(*bound)[0] || !(*bound)[0]->as<NodeRef>()) return std::nullopt;
  Submodule m;
  m.type = type;
  for (size_t i = 1; i < schema.arguments.size(); i++) {
    const SchemaArgument& a = schema.arguments[i];
    if (!(*bound)[i] || names_a_node(*(*bound)[i])) return std::nullopt;
    const Argument& value = *(*bound)[i];
    if (std::ranges::find(row->keywords, a.name) == row->keywords.end()) {
      if (!a.default_value || value != *a.default_value) return std::nullopt;
    } else if (value != Argument(List())) {  // as wide as the kernel
      m.arguments.emplace_back(a.name, plain(value));
    }
  }
  return m;
}

/// Modules of torch.nn, and the nodes that were computed in them.
struct Place {
  std::string type;
  std::vector<uint32_t> nodes;
};

std::map<std::string, Place> places_of(const Program& root) {
  std::map<std::string, Place> places;
  for (uint32_t i = 0; i < root.nodes.size(); i++) {
    const Node& n = root.nodes[i];
    if (!n.onnx || n.op == Op::kPlaceholder || n.op == Op::kOutput) continue;
    const auto running = frames(*n.onnx);
    if (!running) continue;
    for (const Frame& frame : *running)
      if (frame.of_torch) {
        Place& place = places[frame.path];
        place.type = frame.type;
        place.nodes.push_back(i);
      }
  }
  return places;
}

/// The one module that all calls are of.
std::optional<Submodule> module_at(const Program& root, const Place& place) {
  std::optional<Submodule> one;
  for (const uint32_t i : place.nodes) {
    std::optional<Submodule> m = module_of(root.nodes[i], place.type);
    if (!m || (one && m->arguments != one->arguments)) return std::nullopt;
    one = std::move(m);
  }
  return one;
}

}  // namespace

void raise_plain_modules(Module& module) {
  PathTree taken;
  for (const Submodule& m : module.modules) taken.claim(m.path);
  for (const Tensor& t : module.tensors) taken.claim(t.path);
  Program& root = module.programs[0];
  for (const auto& [path, place] : places_of(root)) {
    std::optional<Submodule> m = module_at(root, place);
    if (!m || !taken.is_free(path) || taken.lies_below_leaf(path)) continue;
    m->path = taken.claim(path);
    for (const uint32_t i : place.nodes) {
      Node& n = root.nodes[i];
      n.args = {*(*bind_arguments(*find_schema(n.target), n))[0]};
      n.op = Op::kCallModule;
      n.target.clear();
      n.kwargs.clear();
      n.module = static_cast<uint32_t>(module.modules.size());
    }
    module.modules.push_back(std::move(*m));
  }
}

}  // namespace onnx2fx::fx
