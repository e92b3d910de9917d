// RotaryEmbedding.
#include "plugins/com.microsoft/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/attention.hpp"
#include "plugins/lowering/rotary.hpp"

using namespace onnx2fx;
using namespace onnx2fx::attention;
using namespace contrib;

namespace {

// One position for each place. A single one is that of the first place, others follow it.
Value read_positions(Node& n, Value given, Value x, int64_t length_axis) {
  if (n.rank(given) == 2) return given;
  return n.call("aten::add.Tensor", {places(n, n.dim(x, length_axis), x, Ints{1, -1}), given});
}

void check_attributes(Node& n) {
  if (n.flag("is_packed_batching", false))
    throw Unsupported("attribute 'is_packed_batching': expected 0");
  if (n.real("scale", 1.0) != 1)
    n.warn("attribute 'scale': expected 1; it changes nothing, as in ONNX Runtime");
}

void rotary_embedding(Node& n) {
  const Value x = n.input(0), cos = n.input(2), sin = n.input(3);
  check_attributes(n);
  const int64_t stated = n.integer("num_heads", 0), part = n.integer("rotary_embedding_dim", 0);
  const bool flat = n.rank(x, 3) == 3;
  if (part > 0 && stated < 1 && flat)
    throw Invalid("attribute 'num_heads': expected a positive value with rotary_embedding_dim");
  const Value positions = read_positions(n, n.input(1), x, flat ? 1 : 2);
  const Rotation r{cos, sin, positions, n.flag("interleaved", false), n.mul(n.dim(cos, 1), 2)};
  if (!flat) return n.output(rotated(n, x, r));
  const Int heads = part > 0 ? Int(stated) : n.floordiv(n.dim(x, 2), *r.width);
  const Ints shape{n.dim(x, 0), n.dim(x, 1), heads, n.floordiv(n.dim(x, 2), heads)};
  n.output(merge_heads(n, rotated(n, split_heads(n, x, shape), r)));
}

constexpr o2fx_op kOps[] = {row("RotaryEmbedding", lower<rotary_embedding>)};

}  // namespace

const Family kRotaryEmbedding = family(kOps);
