#include "plugins/com.microsoft/rotary_embedding.hpp"

#include <limits>

#include "plugins/com.microsoft/attention_core.hpp"
#include "plugins/com.microsoft/extents.hpp"
#include "plugins/com.microsoft/families.hpp"
#include "plugins/lowering/arange.hpp"
#include "plugins/lowering/rotation.hpp"

using namespace onnx2fx;
using namespace contrib;

namespace {

constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();

// (N, 1, L, size / 2)
Value angles(Node& n, Value table, Value positions) {
  n.role(table, O2FX_ROLE_BUFFER);
  return n.call("aten::unsqueeze", {n.call("aten::index.Tensor", {table, Values{positions}}), 1});
}

// One position for each place. A single one is that of the first place, others follow it.
Value read_positions(Node& n, Value given, Value x, int64_t length_axis) {
  if (n.rank(given) == 2) return given;
  return n.call("aten::add.Tensor", {places(n, n.dim(x, length_axis), x, Ints{1, -1}), given});
}

void refuse(Node& n) {
  if (n.flag("is_packed_batching", false))
    throw Unsupported("attribute 'is_packed_batching': expected 0");
  if (n.real("scale", 1.0) != 1) throw Unsupported("attribute 'scale': expected 1");
}

void rotary_embedding(Node& n) {
  const Value x = n.input(0), cos = n.input(2), sin = n.input(3);
  refuse(n);
  const int64_t stated = n.integer("num_heads", 0), part = n.integer("rotary_embedding_dim", 0);
  const bool flat = n.rank(x, 3) == 3;
  if (part > 0 && stated < 1 && flat)
    throw Invalid("attribute 'num_heads': expected a positive value with rotary_embedding_dim");
  const Value positions = read_positions(n, n.input(1), x, flat ? 1 : 2);
  const Rotation r{cos, sin, positions, n.flag("interleaved", false)};
  if (!flat) return n.output(like(n, rotated(n, x, r), x));
  const Int heads = part > 0 ? Int(stated) : n.floordiv(n.dim(x, 2), n.mul(n.dim(cos, 1), 2));
  const Ints shape{n.dim(x, 0), n.dim(x, 1), heads, n.floordiv(n.dim(x, 2), heads)};
  Value y = n.call("aten::transpose.int", {n.call("aten::reshape", {x, shape}), 1, 2});
  typed(n, y, n.dtype(x), std::vector<Extent>{shape[0], shape[2], shape[1], shape[3]});
  n.output(like(n, merge_heads(n, rotated(n, y, r)), x));
}

constexpr o2fx_op kOps[] = {row("RotaryEmbedding", lower<rotary_embedding>)};

}  // namespace

Value contrib::rotated(Node& n, Value x, const Rotation& r) {
  const Int width = n.mul(n.dim(r.cos, 1), 2);
  const Value cos = angles(n, r.cos, r.positions), sin = angles(n, r.sin, r.positions);
  if (width == n.dim(x, 3)) return rotate_pairs(n, x, cos, sin, r.interleaved);
  const Value head = n.call("aten::slice.Tensor", {x, -1, 0, width});
  const Value rest = n.call("aten::slice.Tensor", {x, -1, width, kEnd});
  return n.call("aten::cat", {Values{rotate_pairs(n, head, cos, sin, r.interleaved), rest}, -1});
}

const Family kRotaryEmbedding = family(kOps);
