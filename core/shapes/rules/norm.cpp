// Normalisations that are not `like` their input.
#include "core/shapes/promotion.hpp"
#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

// The normalised tensor, mean and 1 / deviation of each slice, which keep rank.
Returned native_layer_norm(const TorchCall& c) {
  const Type& x = c.self();
  const auto shape = c.integers("normalized_shape");
  std::optional<Dims> slices = x.dims;
  if (slices && shape && shape->size() <= slices->size())
    for (size_t i = slices->size() - shape->size(); i < slices->size(); i++) (*slices)[i] = Sym(1);
  else
    slices.reset();
  return Types{tensor_of(x.dtype, x.dims), tensor_of(x.dtype, slices), tensor_of(x.dtype, slices)};
}

constexpr TypeRule kRules[] = {{"native_layer_norm", native_layer_norm}};

}  // namespace

constinit const TypeRules kNormRules = kRules;

}  // namespace onnx2fx::conversion
