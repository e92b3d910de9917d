// Images at other places: [N, C, spatial...].
#include <cmath>

#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

// By a factor, as torch counts: a whole one multiplies in integers.
MaybeSym scaled(const TorchCall& c, const MaybeSym& extent, const std::optional<double>& factor) {
  constexpr double kMost = 1 << 20;
  if (!extent || !factor || !(*factor > 0 && *factor <= kMost)) return {};
  if (*factor == std::floor(*factor))
    return c.sizes.mul(extent, Sym(static_cast<int64_t>(*factor)));
  if (!extent->is_literal() || extent->literal() > static_cast<int64_t>(kMost)) return {};
  return Sym(static_cast<int64_t>(static_cast<double>(extent->literal()) * *factor));
}

// To a size, else by factors.
Returned upsample(const TorchCall& c) {
  auto dims = c.self().dims;
  if (!dims || dims->size() < 3) return tensor_of(c.self().dtype, {});
  const size_t spatial = dims->size() - 2;
  const auto size = c.integers("output_size", spatial);
  const std::vector<Operand>& factors = c.operand("scale_factors").items;
  for (size_t i = 0; i < spatial; i++) {
    MaybeSym& extent = (*dims)[2 + i];
    if (size)
      extent = (*size)[i];
    else if (!c.given("output_size") && factors.size() == spatial)
      extent = scaled(c, extent, factors[i].real);
    else
      extent = {};
  }
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
