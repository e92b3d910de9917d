#include "plugins/lowering/attention.hpp"

#include <cmath>

namespace onnx2fx::attention {
namespace {

Value times(Node& n, Value v, double factor) { return n.call("aten::mul.Scalar", {v, factor}); }

// Every head of k or v as often as heads of q share it.
Value each_head(Node& n, const Heads& h, Value v) {
  if (!h.grouped) return v;
  const Int shared = n.floordiv(n.dim(h.q, 1), n.dim(v, 1));
  return n.call("aten::repeat_interleave.self_int", {v, shared, 1});
}

}  // namespace

Value split_heads(Node& n, Value v, int64_t heads) {
  const Int size = n.floordiv(n.dim(v, 2), heads);
  return split_heads(n, v, Ints{n.dim(v, 0), n.dim(v, 1), heads, size});
}

Value split_heads(Node& n, Value v, const Ints& sizes) {
  return n.call("aten::transpose.int", {n.call("aten::reshape", {v, sizes}), 1, 2});
}

Value merge_heads(Node& n, Value v) {
  return n.call("aten::flatten.using_ints", {n.call("aten::transpose.int", {v, 1, 2}), 2, 3});
}

Value merge_heads(Node& n, Value v, const Int& batch, const Int& length) {
  return n.call("aten::reshape",
                {n.call("aten::transpose.int", {v, 1, 2}), Ints{batch, length, -1}});
}

Value fused(Node& n, const Heads& h, Value mask, bool triangle) {
  Kwargs options;
  if (h.scale) options.push_back({"scale", *h.scale});
  if (h.grouped) options.push_back({"enable_gqa", true});
  return n.call("aten::scaled_dot_product_attention", {h.q, h.k, h.v, mask, 0.0, triangle},
                options);
}

// The square root of the scale for q and k each, so that half precision does not overflow.
Value products(Node& n, const Heads& h) {
  const Int size = n.dim(h.q, 3);
  Value q = h.q, k = each_head(n, h, h.k);
  if (h.scale && *h.scale < 0) {
    q = times(n, q, *h.scale);
  } else if (h.scale || size.known()) {
    const double factor =
        h.scale ? std::sqrt(*h.scale) : std::pow(static_cast<double>(size.literal()), -0.25);
    q = times(n, q, factor), k = times(n, k, factor);
  } else {
    Value factor =
        n.call("aten::scalar_tensor", {size}, {{"dtype", Dtype{kFloat}}, {"device", DeviceOf{q}}});
    factor = n.call("aten::pow.Tensor_Scalar", {factor, -0.25});
    q = n.call("aten::mul.Tensor", {q, factor}), k = n.call("aten::mul.Tensor", {k, factor});
  }
  return n.call("aten::matmul", {q, n.call("aten::transpose.int", {k, -2, -1})});
}

Value capped(Node& n, const Heads& h, Value scores) {
  if (h.softcap <= 0) return scores;
  const Value share = n.call("aten::div.Scalar", {scores, h.softcap});
  return times(n, n.call("aten::tanh", {share}), h.softcap);
}

Value weighted(Node& n, const Heads& h, Value probabilities) {
  return n.call("aten::matmul", {probabilities, each_head(n, h, h.v)});
}

Value seen(Node& n, const Window& w, Value query, Value key) {
  if (w.open()) return {};
  Value r = w.causal ? n.call("aten::le.Tensor", {key, query}) : Value{};
  if (w.left < 0 && w.right < 0) return r;
  const Value behind = n.call("aten::sub.Tensor", {query, key});
  if (w.left >= 0) r = both(n, r, n.call("aten::le.Scalar", {behind, w.left}));
  if (w.right >= 0) r = both(n, r, n.call("aten::ge.Scalar", {behind, -w.right}));
  return r;
}

Value within(Node& n, Value key, Value lengths) {
  return n.call("aten::lt.Tensor", {key, n.call("aten::reshape", {lengths, Ints{-1, 1, 1, 1}})});
}

Value both(Node& n, Value a, Value b) { return a ? n.call("aten::logical_and", {a, b}) : b; }

}  // namespace onnx2fx::attention
