// Reductions over `dim` (an int, a list, or none: all axes), with or without `keepdim`.
//   integer    integers add up in int64
//   float      integers become the default float dtype
//   real       of a complex dtype its real one
//   bool       bool, or uint8 of uint8
//   index      int64
//   all        an empty list of axes is all of them
#include <onnx/onnx_pb.h>

#include <algorithm>

#include "core/shapes/promotion.hpp"
#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

using Kind = Operand::Kind;
using D = onnx::TensorProto;

int32_t result_dtype(const TorchCall& c) {
  const int32_t dtype = carried(c.self().dtype);
  if (c.says("index")) return D::INT64;
  if (c.says("bool")) return dtype == D::UINT8 ? dtype : int32_t{D::BOOL};
  if (c.says("real")) return real_of(c.dtype(dtype));
  if (c.says("integer") && is_integral(dtype)) return c.dtype(D::INT64);
  if (c.says("float") && is_integral(dtype)) return c.dtype(D::FLOAT);
  return c.dtype(dtype);
}

struct Axes {
  bool known = true;  ///< which they are
  std::vector<bool> reduced;
};

Axes axes_of(const TorchCall& c, size_t rank) {
  Axes a{true, std::vector<bool>(rank, !c.given("dim"))};
  if (!c.given("dim")) return a;
  const auto list = c.literals("dim");
  if (!list) return {false, {}};
  if (list->empty()) a.reduced.assign(rank, c.says("all"));
  for (const int64_t d : *list) {
    const auto axis = axis_of(d, rank);
    if (!axis) return {false, {}};
    if (rank) a.reduced[*axis] = true;
  }
  return a;
}

std::optional<Dims> reduced(const TorchCall& c) {
  const auto& dims = c.self().dims;
  const auto keep = c.schema.find("keepdim") ? c.flag("keepdim") : std::optional(false);
  if (!dims) return keep == false && !c.given("dim") ? std::optional(Dims{}) : std::nullopt;
  if (!keep) return {};
  const Axes axes = axes_of(c, dims->size());
  if (!axes.known) return *keep ? std::optional(Dims(dims->size())) : std::nullopt;
  Dims r;
  for (size_t i = 0; i < dims->size(); i++)
    if (!axes.reduced[i])
      r.push_back((*dims)[i]);
    else if (*keep)
      r.push_back(Sym(1));
  return r;
}

Returned reduce(const TorchCall& c) { return tensor_of(result_dtype(c), reduced(c)); }

Returned var_mean(const TorchCall& c) {
  const std::optional<Dims> dims = reduced(c);
  return Types{tensor_of(real_of(c.self().dtype), dims), tensor_of(c.self().dtype, dims)};
}

// Of the last n axes.
Returned leading(const TorchCall& c) {
  std::optional<Dims> dims = c.self().dims;
  const size_t n = c.says("2") ? 2 : 1;
  if (dims && dims->size() < n) dims.reset();
  if (dims) dims->resize(dims->size() - n);
  return tensor_of(c.self().dtype, std::move(dims));
}

// nll_loss, cross_entropy: a number, unless reduction is 0.
Returned loss(const TorchCall& c) {
  const auto reduction = c.literal("reduction");
  std::optional<Dims> dims;
  if (reduction && *reduction != 0) dims = Dims{};
  if (reduction == 0 && c.self().dims) {
    dims = c.self().dims;
    if (dims->size() >= 2)
      dims->erase(dims->begin() + 1);
    else
      dims->clear();
  }
  return tensor_of(c.self().dtype, std::move(dims));
}

constexpr TypeRule kRules[] = {
    {"reduce", reduce}, {"var_mean", var_mean}, {"leading", leading}, {"loss", loss}};

}  // namespace

constinit const TypeRules kReductionRules = kRules;

}  // namespace onnx2fx::conversion
