// Images at other places: [N, C, spatial...].
#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

Returned upsample(const TorchCall& c) {
  auto dims = c.self().dims;
  const auto size = c.integers("output_size");
  if (!dims || dims->size() < 3) return tensor_of(c.self().dtype, {});
  const size_t spatial = dims->size() - 2;
  const auto fitted = c.integers("output_size", spatial);
  for (size_t i = 0; i < spatial; i++) (*dims)[2 + i] = fitted ? (*fitted)[i] : MaybeSym();
  return tensor_of(c.self().dtype, std::move(dims));
}

// The grid [N, spatial..., coordinates] says where.
Returned grid_sampler(const TorchCall& c) {
  auto dims = c.self().dims;
  const auto& grid = c.tensor("grid").dims;
  if (!dims || dims->size() < 3) return tensor_of(c.self().dtype, {});
  for (size_t i = 2; i < dims->size(); i++)
    (*dims)[i] = grid && grid->size() == dims->size() ? (*grid)[i - 1] : MaybeSym();
  return tensor_of(c.self().dtype, std::move(dims));
}

// A grid for images of `size` [N, C, spatial...].
Returned affine_grid(const TorchCall& c) {
  const auto size = c.integers("size");
  if (!size || size->size() < 3) return tensor_of(c.self().dtype, {});
  Dims dims{(*size)[0]};
  dims.insert(dims.end(), size->begin() + 2, size->end());
  dims.push_back(Sym(static_cast<int64_t>(size->size() - 2)));
  return tensor_of(c.self().dtype, std::move(dims));
}

constexpr TypeRule kRules[] = {
    {"upsample", upsample}, {"grid_sampler", grid_sampler}, {"affine_grid", affine_grid}};

}  // namespace

constinit const TypeRules kResampleRules = kRules;

}  // namespace onnx2fx::conversion
