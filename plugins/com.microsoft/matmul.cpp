// Products of matrices with what is fused to them: FusedMatMul (also TransposeMatMul),
// FusedMatMulActivation, FusedGemm, GemmFastGelu.
#include "plugins/com.microsoft/families.hpp"
#include "plugins/com.microsoft/fused_activation.hpp"

using namespace onnx2fx;
using namespace contrib;

namespace {

std::vector<double> activation_parameters(Node& n) {
  std::vector<double> r;
  for (const char* name : {"activation_alpha", "activation_beta", "activation_gamma"}) {
    if (!n.has(name)) break;
    r.push_back(n.real(name));
  }
  return r;
}

Value fused_activation(Node& n, Value y) {
  const std::string name = n.text("activation", "");
  const std::vector<double> parameters = activation_parameters(n);
  for (const char* rest : {"activation_alpha", "activation_beta", "activation_gamma"})
    n.ignore(rest);
  return activated(n, y, name, parameters);
}

// An operand with its rows before its batch axes, or transposed, or both. A vector stays.
Value operand(Node& n, Value v, bool transposed, bool batch) {
  if (!transposed && !batch) return v;
  const int64_t rank = n.rank(v, 1);
  if (rank == 1) return v;
  if (batch) v = n.call("aten::movedim.int", {v, 0, rank - 2});
  return transposed ? n.call("aten::transpose.int", {v, -2, -1}) : v;
}

Value product(Node& n) {
  const Value weight = n.input(1);
  if (n.info(weight).raw.rank == 2) n.role(weight, O2FX_ROLE_PARAMETER);
  const Value a = operand(n, n.input(0), n.flag("transA", false), n.flag("transBatchA", false));
  const Value b = operand(n, weight, n.flag("transB", false), n.flag("transBatchB", false));
  const double alpha = n.real("alpha", 1.0);
  Value y = n.call("aten::matmul", {a, b});
  if (alpha != 1) y = n.call("aten::mul.Scalar", {y, alpha});
  return y;
}

void fused_matmul(Node& n) { n.output(product(n)); }

void fused_matmul_activation(Node& n) {
  if (n.text("activation") == "Softmax")
    throw Unsupported("attribute 'activation': expected a function of one element, got 'Softmax'");
  n.ignore("activation_axis");  // of Softmax
  n.output(fused_activation(n, product(n)));
}

void fused_gemm(Node& n) {
  Value a = n.input(0), b = n.role(n.input(1), O2FX_ROLE_PARAMETER);
  const Value c = n.maybe_input(2);
  if (c) n.role(c, O2FX_ROLE_PARAMETER);
  const bool transpose_a = n.flag("transA", false), transpose_b = n.flag("transB", false);
  const double alpha = n.real("alpha", 1.0), beta = n.real("beta", 1.0);
  if (transpose_a) a = n.call("aten::t", {a});
  const bool linear = alpha == 1 && (!c || (beta == 1 && n.rank(c) == 1));
  Value y;
  if (linear) {
    y = n.call("aten::linear", {a, transpose_b ? b : n.call("aten::t", {b}), c});
  } else {
    if (transpose_b) b = n.call("aten::t", {b});
    y = c ? n.call("aten::addmm", {c, a, b}, {{"beta", beta}, {"alpha", alpha}})
          : n.call("aten::mul.Scalar", {n.call("aten::mm", {a, b}), alpha});
  }
  n.output(fused_activation(n, y));
}

void gemm_fast_gelu(Node& n) {
  const Value a = n.input(0), b = n.role(n.input(1), O2FX_ROLE_PARAMETER);
  const Value bias = n.maybe_input(2);
  Value y = n.call("aten::matmul", {a, b});
  if (bias) y = n.call("aten::add.Tensor", {y, n.role(bias, O2FX_ROLE_PARAMETER)});
  y = n.call("aten::gelu", {y}, {{"approximate", "tanh"}});
  n.output(y);
}

constexpr o2fx_op kOps[] = {
    row("FusedGemm", lower<fused_gemm>),
    row("FusedMatMul", lower<fused_matmul>),
    row("FusedMatMulActivation", lower<fused_matmul_activation>),
    row("GemmFastGelu", lower<gemm_fast_gelu>),
    row("TransposeMatMul", lower<fused_matmul>),
};

}  // namespace

const Family kMatmul = family(kOps);
