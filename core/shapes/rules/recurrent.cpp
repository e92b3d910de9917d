// lstm, gru, rnn over a whole sequence: (output, h_n[, c_n]).
#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

// The first state tells the size of a direction's output.
Returned recurrent(const TorchCall& c) {
  const Type& x = c.self();
  const bool lstm = c.operand("hx").kind == Operand::Kind::kList;
  const Types states = lstm ? c.tensors("hx").types : Types{c.tensor("hx")};
  const auto both = c.flag("bidirectional");
  std::optional<Dims> dims = x.dims;
  if (dims && !dims->empty()) {
    const auto& h = states.empty() ? x.dims : states[0].dims;
    dims->back() = h && !h->empty() && both && !states.empty()
                       ? c.sizes.mul(h->back(), Sym(*both ? 2 : 1))
                       : MaybeSym();
  }
  Types r{tensor_of(x.dtype, std::move(dims))};
  const size_t n = c.schema.returns.size() - 1;
  for (size_t i = 0; i < n; i++)
    r.push_back(i < states.size() ? tensor_of(x.dtype, states[i].dims) : tensor_of(x.dtype, {}));
  return r;
}

constexpr TypeRule kRules[] = {{"recurrent", recurrent}};

}  // namespace

constinit const TypeRules kRecurrentRules = kRules;

}  // namespace onnx2fx::conversion
