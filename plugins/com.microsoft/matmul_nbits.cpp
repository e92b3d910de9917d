// MatMulNBits: a product with a weight of few bits, packed into bytes. The weight stays packed in
// the module and is unpacked where it is used.
#include "plugins/com.microsoft/families.hpp"
#include "plugins/com.microsoft/quantization.hpp"

using namespace onnx2fx;
using namespace contrib;

namespace {

struct Packed {
  int64_t rows, columns, bits, block, blocks;  // columns: K, in `blocks` blocks
  int32_t dtype;
};

Packed read_packed(Node& n, Value a) {
  Packed p{n.integer("N"), n.integer("K"), n.integer("bits", 4), n.integer("block_size"), 0,
           n.dtype(a)};
  if (p.bits != 2 && p.bits != 4 && p.bits != 8)
    throw Unsupported("attribute 'bits': expected 2, 4 or 8, got " + std::to_string(p.bits));
  if (p.block < 16 || p.rows < 1 || p.columns < 1)
    throw Invalid("attributes 'N', 'K', 'block_size': expected positive values");
  if (n.integer("weight_prepacked", 0) != 0)
    throw Unsupported("attribute 'weight_prepacked': expected 0");
  n.ignore("accuracy_level");  // the least precision of the sums: here that of the input
  p.blocks = (p.columns + p.block - 1) / p.block;
  return p;
}

// (N, count) elements of the low bits of each byte first; a row starts with a byte of its own.
Value unpacked(Node& n, Value bytes, const Packed& p, int64_t count) {
  Value v = n.call("aten::reshape", {bytes, Ints{p.rows, -1, 1}});
  if (p.bits < 8) {
    Values parts;
    const int64_t mask = (1 << p.bits) - 1;
    for (int64_t shift = 0; shift < 8; shift += p.bits) {
      const Value low = shift ? n.call("aten::bitwise_right_shift.Tensor_Scalar", {v, shift}) : v;
      parts.push_back(n.call("aten::bitwise_and.Scalar", {low, mask}));
    }
    v = n.call("aten::cat", {parts, -1});
  }
  v = n.call("aten::reshape", {v, Ints{p.rows, -1}});
  return n.call("aten::slice.Tensor", {v, 1, 0, count});
}

// A parameter of the blocks, one for each column: by its block, or by the model's own table.
Value for_columns(Node& n, Value v, const Packed& p, Value groups) {
  if (groups) return n.call("aten::index_select", {v, 1, groups});
  v = n.call("aten::repeat_interleave.self_int", {v, p.block, 1});
  return n.call("aten::slice.Tensor", {v, 1, 0, p.columns});
}

Value zero_points(Node& n, const Packed& p, Value groups) {
  const Value zero = buffer(n, 3);
  if (!zero) return zero;
  if (groups && n.dtype(zero) == kUint8)  // ONNX Runtime's kernels differ in what they mean then
    throw Unsupported("input 'g_idx': expected none with packed zero points");
  const Value v = n.dtype(zero) == kUint8 ? unpacked(n, zero, p, p.blocks)
                                          : n.call("aten::reshape", {zero, Ints{p.rows, p.blocks}});
  return for_columns(n, n.call("aten::to.dtype", {v, Dtype{p.dtype}}), p, groups);
}

void matmul_nbits(Node& n) {
  const Value a = n.input(0), b = n.role(n.input(1), O2FX_ROLE_BUFFER);
  const Packed p = read_packed(n, a);
  Value groups = buffer(n, 4);
  if (groups) groups = n.call("aten::slice.Tensor", {groups, 0, 0, p.columns});
  Value weight = n.call("aten::to.dtype", {unpacked(n, b, p, p.columns), Dtype{p.dtype}});
  const Value zero = zero_points(n, p, groups);
  weight = zero ? n.call("aten::sub.Tensor", {weight, zero})
                : n.call("aten::sub.Scalar", {weight, int64_t{1} << (p.bits - 1)});
  const Value scale = n.call("aten::reshape", {buffer(n, 2), Ints{p.rows, p.blocks}});
  weight = n.call("aten::mul.Tensor", {weight, for_columns(n, scale, p, groups)});
  const Value bias = n.maybe_input(5);
  if (bias) n.role(bias, O2FX_ROLE_PARAMETER);
  n.output(n.call("aten::linear", {a, weight, bias}));
}

constexpr o2fx_op kOps[] = {row("MatMulNBits", lower<matmul_nbits>)};

}  // namespace

const Family kMatmulNbits = family(kOps);
