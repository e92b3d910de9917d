// Convolutions with what is fused to them: FusedConv, and with the channels last: NhwcConv,
// NhwcFusedConv.
#include "plugins/com.microsoft/extents.hpp"
#include "plugins/com.microsoft/families.hpp"
#include "plugins/com.microsoft/fused_activation.hpp"
#include "plugins/lowering/windows.hpp"

using namespace onnx2fx;
using namespace contrib;

namespace {

struct Convolution {
  Value y;
  Extents extents;
};

// x with its channels at axis 1.
Convolution convolve(Node& n, Value x, Value weight) {
  static constexpr const char* kTargets[] = {"aten::conv1d", "aten::conv2d", "aten::conv3d"};
  n.role(n.input(1), O2FX_ROLE_PARAMETER);
  const Value bias = n.maybe_input(2);
  if (bias) n.role(bias, O2FX_ROLE_PARAMETER);
  const Windows w = read_windows(n, x, kernel_of(n, weight));
  std::vector<Extent> extents{extent_of(n, x, 0), extent_of(n, weight, 0)};
  for (size_t i = 0; i < w.axes; i++) {
    const Int padded = n.add(n.dim(x, static_cast<int64_t>(i) + 2), n.add(w.begin[i], w.end[i]));
    extents.push_back(n.add(n.floordiv(n.sub(padded, w.reach(n, i)), w.strides[i]), 1));
  }
  const Ints padding = even_padding(n, x, w);
  const Value y = n.call(kTargets[w.axes - 1],
                         {x, weight, bias, w.strides, padding, w.dilations, n.integer("group", 1)});
  return {y, extents};
}

Value finish(Node& n, Value y) {
  if (const Value z = n.n_inputs() > 3 ? n.maybe_input(3) : Value{})
    y = n.call("aten::add.Tensor", {y, z});
  const std::string name = n.text("activation", "");
  return activated(n, y, name, n.reals("activation_params"));
}

void fused_conv(Node& n) {
  const Value x = n.input(0);
  const Convolution c = convolve(n, x, n.input(1));
  n.output(typed(n, finish(n, c.y), n.dtype(x), c.extents));
}

Value channels_first(Node& n, Value x) {
  const Value moved = n.call("aten::movedim.int", {x, -1, 1});
  Extents e = extents_of(n, x);
  if (e) {
    e->insert(e->begin() + 1, e->back());
    e->pop_back();
  }
  return typed(n, moved, n.dtype(x), e);
}

void channels_last_output(Node& n, const Convolution& c, bool fused) {
  std::vector<Extent> e = *c.extents;
  e.push_back(e[1]);
  e.erase(e.begin() + 1);
  const Value y = n.call("aten::movedim.int", {c.y, 1, -1});
  n.output(typed(n, fused ? finish(n, y) : y, n.dtype(n.input(0)), e));
}

void nhwc_fused_conv(Node& n) {
  const Value x = channels_first(n, n.input(0));
  channels_last_output(n, convolve(n, x, n.input(1)), true);
}

// The weight of NhwcConv is said to be (M, C / group, kernel...), and written by ONNX Runtime's own
// tools as (M, kernel..., C / group): the extents must tell which.
Value filter_of(Node& n, Value weight) {
  const int64_t rank = n.rank(weight, 3), group = n.integer("group", 1);
  const Int channels = n.floordiv(n.dim(n.input(0), -1), group);
  const bool first = n.dim(weight, 1) == channels, last = n.dim(weight, rank - 1) == channels;
  if (first == last)
    throw Unsupported("input 1: expected extents that tell where the channels of the weight stand");
  return first ? weight : channels_first(n, weight);
}

void nhwc_conv(Node& n) {
  const Value x = channels_first(n, n.input(0));
  channels_last_output(n, convolve(n, x, filter_of(n, n.input(1))), false);
}

constexpr o2fx_op kOps[] = {
    row("FusedConv", lower<fused_conv>),
    row("NhwcConv", lower<nhwc_conv>),
    row("NhwcFusedConv", lower<nhwc_fused_conv>),
};

}  // namespace

const Family kConv = family(kOps);
