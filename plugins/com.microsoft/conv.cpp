// Convolutions with what is fused to them: FusedConv, and with the channels last: NhwcConv,
// NhwcFusedConv.
#include "plugins/com.microsoft/channels.hpp"
#include "plugins/com.microsoft/families.hpp"
#include "plugins/com.microsoft/fused_activation.hpp"
#include "plugins/lowering/windows.hpp"

using namespace onnx2fx;
using namespace contrib;

namespace {

// x with its channels at axis 1.
Value convolve(Node& n, Value x, Value weight) {
  static constexpr const char* kTargets[] = {"aten::conv1d", "aten::conv2d", "aten::conv3d"};
  n.role(n.input(1), O2FX_ROLE_PARAMETER);
  const Value bias = n.maybe_input(2);
  if (bias) n.role(bias, O2FX_ROLE_PARAMETER);
  const Windows w = read_windows(n, x, kernel_of(n, weight));
  const Ints padding = even_padding(n, x, w);
  return n.call(kTargets[w.axes - 1],
                {x, weight, bias, w.strides, padding, w.dilations, n.integer("group", 1)});
}

Value finish(Node& n, Value y) {
  if (const Value z = n.n_inputs() > 3 ? n.maybe_input(3) : Value{})
    y = n.call("aten::add.Tensor", {y, z});
  const std::string name = n.text("activation", "");
  return activated(n, y, name, n.reals("activation_params"));
}

void fused_conv(Node& n) { n.output(finish(n, convolve(n, n.input(0), n.input(1)))); }

void nhwc_fused_conv(Node& n) {
  const Value x = channels_first(n, n.input(0));
  n.output(finish(n, channels_last(n, convolve(n, x, n.input(1)))));
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
  n.output(channels_last(n, convolve(n, x, filter_of(n, n.input(1)))));
}

constexpr o2fx_op kOps[] = {
    row("FusedConv", lower<fused_conv>),
    row("NhwcConv", lower<nhwc_conv>),
    row("NhwcFusedConv", lower<nhwc_fused_conv>),
};

}  // namespace

const Family kConv = family(kOps);
