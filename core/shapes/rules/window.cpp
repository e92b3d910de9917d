// Convolutions and pools, over a batch [N, C, spatial...] or without one [C, spatial...]; what is
// the same for all spatial axes may be stated once.
#include <onnx/onnx_pb.h>

#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

/// How a window moves along the spatial axes.
struct Window {
  Dims kernel, stride, padding, dilation, output_padding;
};

// floor((n + 2 p - d (k - 1) - 1) / s) + 1
MaybeSym places(const Sizes& z, const MaybeSym& n, const Window& w, size_t i, bool ceil) {
  const MaybeSym reach = z.mul(w.dilation[i], z.sub(w.kernel[i], Sym(1)));
  const MaybeSym room = z.sub(z.sub(z.add(n, z.mul(w.padding[i], Sym(2))), reach), Sym(1));
  if (!ceil) return z.add(z.floordiv(room, w.stride[i]), Sym(1));
  // a last window that would begin in the padding behind the end does not count
  return z.min(z.add(z.ceildiv(room, w.stride[i]), Sym(1)),
               z.ceildiv(z.add(n, w.padding[i]), w.stride[i]));
}

// (n - 1) s - 2 p + d (k - 1) + o + 1
MaybeSym spread(const Sizes& z, const MaybeSym& n, const Window& w, size_t i) {
  const MaybeSym reach = z.mul(w.dilation[i], z.sub(w.kernel[i], Sym(1)));
  const MaybeSym begin = z.sub(z.mul(z.sub(n, Sym(1)), w.stride[i]), z.mul(w.padding[i], Sym(2)));
  return z.add(z.add(begin, reach), z.add(w.output_padding[i], Sym(1)));
}

bool read(const TorchCall& c, size_t spatial, std::string_view name, Dims& out, int64_t or_else) {
  if (!c.schema.find(name)) {
    out.assign(spatial, Sym(or_else));
    return true;
  }
  auto given = c.integers(name, spatial);
  if (!given) return false;
  out = std::move(*given);
  return true;
}

bool read(const TorchCall& c, size_t spatial, Window& w) {
  return read(c, spatial, "stride", w.stride, 1) && read(c, spatial, "dilation", w.dilation, 1) &&
         read(c, spatial, "output_padding", w.output_padding, 0);
}

// A string in the place of a padding: "same" keeps the extent, "valid" pads nothing.
Dims convolved(const TorchCall& c, const Dims& x, const Window& w, size_t first, bool transposed) {
  const bool same = c.operand("padding").text == "same";
  Dims dims = x;
  for (size_t i = 0; first + i < dims.size(); i++) {
    MaybeSym& n = dims[first + i];
    if (transposed)
      n = spread(c.sizes, n, w, i);
    else if (!same)
      n = places(c.sizes, n, w, i, false);
  }
  return dims;
}

Returned convolution(const TorchCall& c) {
  const int32_t dtype = c.self().dtype;
  const auto &x = c.self().dims, &weight = c.tensor("weight").dims;
  const std::optional<bool> transposed = c.says("transposed")          ? true
                                         : c.schema.find("transposed") ? c.flag("transposed")
                                                                       : std::optional(false);
  if (!x) return tensor_of(dtype, {});
  if (!weight || weight->size() < 3 || !transposed) return tensor_of(dtype, Dims(x->size()));
  const size_t spatial = weight->size() - 2, first = x->size() - spatial;
  if (x->size() < spatial + 1) return tensor_of(dtype, {});
  Window w;
  w.kernel.assign(weight->begin() + 2, weight->end());
  const bool text = c.operand("padding").kind == Operand::Kind::kText;
  if (text) w.padding.assign(spatial, Sym(0));
  if (!read(c, spatial, w) || (!text && !read(c, spatial, "padding", w.padding, 0)))
    return tensor_of(dtype, Dims(x->size()));
  Dims dims = convolved(c, *x, w, first, *transposed);
  dims[first - 1] = *transposed ? c.sizes.mul((*weight)[1], c.integer("groups")) : (*weight)[0];
  return tensor_of(dtype, std::move(dims));
}

std::optional<Dims> pooled(const TorchCall& c, size_t spatial) {
  const auto& x = c.self().dims;
  if (!x || x->size() < spatial + 1) return {};
  Window w;
  const auto ceil = c.flag("ceil_mode");
  const auto kernel = c.integers("kernel_size", spatial);
  auto stride = c.integers("stride");
  if (stride && stride->empty()) stride = kernel;  // left out
  if (stride && stride->size() == 1) stride->assign(spatial, MaybeSym((*stride)[0]));
  if (!kernel || !stride || stride->size() != spatial || !ceil ||
      !read(c, spatial, "padding", w.padding, 0) || !read(c, spatial, "dilation", w.dilation, 1))
    return Dims(x->size());
  w.kernel = *kernel;
  w.stride = *stride;
  Dims dims = *x;
  const size_t first = dims.size() - spatial;
  for (size_t i = 0; i < spatial; i++)
    dims[first + i] = places(c.sizes, dims[first + i], w, i, *ceil);
  return dims;
}

size_t spatial_of(const TorchCall& c) { return c.says("1") ? 1 : c.says("2") ? 2 : 3; }

Returned pool(const TorchCall& c) { return tensor_of(c.self().dtype, pooled(c, spatial_of(c))); }

Returned pool_with_indices(const TorchCall& c) {
  const auto dims = pooled(c, spatial_of(c));
  return Types{tensor_of(c.self().dtype, dims), tensor_of(onnx::TensorProto::INT64, dims)};
}

Returned adaptive_pool(const TorchCall& c) {
  const size_t spatial = spatial_of(c);
  auto dims = c.self().dims;
  const auto size = c.integers("output_size", spatial);
  if (!dims || dims->size() < spatial) return tensor_of(c.self().dtype, {});
  for (size_t i = 0; i < spatial; i++)
    (*dims)[dims->size() - spatial + i] = size ? (*size)[i] : MaybeSym();
  return tensor_of(c.self().dtype, std::move(dims));
}

// [N, C * kernel, windows] -> [N, C, output_size...]
Returned col2im(const TorchCall& c) {
  auto dims = c.self().dims;
  const auto size = c.integers("output_size"), kernel = c.integers("kernel_size", 2);
  if (!dims || dims->size() < 2 || !size) return tensor_of(c.self().dtype, {});
  dims->pop_back();
  dims->back() = kernel ? c.sizes.floordiv(dims->back(), c.sizes.product(*kernel)) : MaybeSym();
  dims->insert(dims->end(), size->begin(), size->end());
  return tensor_of(c.self().dtype, std::move(dims));
}

constexpr TypeRule kRules[] = {
    {"convolution", convolution},     {"pool", pool},     {"pool_with_indices", pool_with_indices},
    {"adaptive_pool", adaptive_pool}, {"col2im", col2im},
};

}  // namespace

constinit const TypeRules kWindowRules = kRules;

}  // namespace onnx2fx::conversion
