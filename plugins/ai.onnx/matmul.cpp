// Products of matrices: Gemm, MatMul, Einsum.
#include <cmath>
#include <onnx2fx/plugin.hpp>

#include "plugins/ai.onnx/families.hpp"

using namespace onnx2fx;

namespace {

// ATen has no products of unsigned 32 and 64 bit; modulo 2^64 they are those of int64.
bool wraps(int32_t dtype) { return dtype == kUint32 || dtype == kUint64; }

Value signed_of(Node& n, Value v) {
  return v && wraps(n.info(v).raw.dtype) ? n.call("aten::to.dtype", {v, Dtype{kInt64}}) : v;
}

Value back_to(Node& n, Value y, int32_t dtype) {
  return wraps(dtype) ? n.call("aten::to.dtype", {y, Dtype{dtype}}) : y;
}

// ---- Gemm ----

struct Product {
  Value a, b, c;
  bool transpose_a, transpose_b;
  Arg alpha, beta;
  bool plain;  // alpha = beta = 1
  int32_t dtype;
};

// ATen takes no fraction for integers.
Arg factor(double value, int32_t dtype, const char* name) {
  if (!is_integer(dtype)) return value;
  if (value != std::floor(value))
    throw Unsupported("attribute '" + std::string(name) +
                      "': expected a whole number for integer matrices");
  return static_cast<int64_t>(value);
}

Product read_product(Node& n) {
  const Value a = n.input(0), b = n.input(1), c = n.maybe_input(2);
  if (n.opset() < 7) n.ignore("broadcast");  // C broadcasts as its shape says
  n.role(b, O2FX_ROLE_PARAMETER);
  if (c) n.role(c, O2FX_ROLE_PARAMETER);
  const int32_t dtype = n.info(a).raw.dtype;
  const double alpha = n.real("alpha", 1.0), beta = n.real("beta", 1.0);
  return {signed_of(n, a),
          signed_of(n, b),
          signed_of(n, c),
          n.flag("transA", false),
          n.flag("transB", false),
          factor(alpha, dtype, "alpha"),
          factor(beta, dtype, "beta"),
          alpha == 1 && (!c || beta == 1),
          dtype};
}

// nn.Linear's form: the weight is (out, in), the bias has one element for each row of it. A weight
// that is (in, out) is turned only for a layer of the model's own.
bool is_linear(Node& n, const Product& p) {
  if (!p.plain || is_integer(p.dtype)) return false;
  if (!p.transpose_b && !n.info(p.b).is_stored()) return false;
  if (!p.c) return true;
  if (n.info(p.c).raw.rank != 1) return false;
  const Int bias = n.dim(p.c, 0), rows = n.dim(p.b, p.transpose_b ? 0 : 1);
  return bias == rows || (bias.known() && !bias.is(1));
}

void gemm(Node& n) {
  Product p = read_product(n);
  if (p.transpose_a) p.a = n.call("aten::t", {p.a});
  if (is_linear(n, p)) {
    const Value weight = p.transpose_b ? p.b : n.call("aten::t", {p.b});
    return n.output(n.call("aten::linear", {p.a, weight, p.c}));
  }
  if (p.transpose_b) p.b = n.call("aten::t", {p.b});
  Value y;
  if (p.c) {
    const Kwargs scales{{"beta", p.beta}, {"alpha", p.alpha}};
    y = n.call("aten::addmm", {p.c, p.a, p.b}, p.plain ? Kwargs{} : scales);
  } else {
    y = n.call("aten::mm", {p.a, p.b});
    if (!p.plain) y = n.call("aten::mul.Scalar", {y, p.alpha});
  }
  n.output(back_to(n, y, p.dtype));
}

// ---- MatMul, Einsum ----

void matmul(Node& n) {
  const Value a = n.input(0), b = n.input(1);
  if (n.info(b).raw.rank == 2 && is_floating(n.info(b).raw.dtype)) n.role(b, O2FX_ROLE_PARAMETER);
  const Value y = n.call("aten::matmul", {signed_of(n, a), signed_of(n, b)});
  n.output(back_to(n, y, n.info(a).raw.dtype));
}

void einsum(Node& n) {
  const int32_t dtype = n.info(n.input(0)).raw.dtype;
  Values operands;
  for (const Value v : n.inputs()) operands.push_back(signed_of(n, v));
  const std::string equation = n.text("equation");
  n.output(back_to(n, n.call("aten::einsum", {equation.c_str(), operands}), dtype));
}

constexpr o2fx_op kOps[] = {
    op("Einsum", 12, lower<einsum>),
    op("Gemm", 1, lower<gemm>),
    op("MatMul", 1, lower<matmul>),
};

}  // namespace

const Family kMatmul = family(kOps);
