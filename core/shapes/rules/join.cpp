// Several tensors into one, one into several.
#include <algorithm>

#include "core/shapes/promotion.hpp"
#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

constexpr int64_t kMostParts = 4096;

int32_t promoted(const TorchCall::Tensors& all) {
  Promotion p;
  for (const Type& t : all.types) p.tensor(t.dtype, t.rank());
  return p.result();
}

// A tensor [0] beside others of any rank is left out, as torch does.
bool is_nothing(const Type& t) { return t.rank() == 1 && (*t.dims)[0] && (*t.dims)[0]->is(0); }

// Extents of the axes that are not joined: they are one for all, so that any of them tells.
void agree(Dims& dims, const Dims& other) {
  for (size_t i = 0; i < dims.size(); i++)
    if (other[i] && (!dims[i] || other[i]->is_literal())) dims[i] = other[i];
}

std::optional<Dims> joined(const TorchCall& c, const TorchCall::Tensors& all) {
  if (!std::all_of(all.types.begin(), all.types.end(), [](const Type& t) { return t.dims; }))
    return {};
  const auto first = std::find_if_not(all.types.begin(), all.types.end(), is_nothing);
  if (first == all.types.end()) return Dims{Sym(0)};
  Dims dims = *first->dims;
  const auto axis = axis_of(c.literal("dim"), dims.size());
  if (!axis || dims.empty()) return {};
  MaybeSym length = Sym(0);
  for (const Type& t : all.types) {
    if (is_nothing(t)) continue;
    if (t.dims->size() != dims.size()) return {};
    length = c.sizes.add(length, (*t.dims)[*axis]);
    agree(dims, *t.dims);
  }
  dims[*axis] = all.open ? MaybeSym() : length;
  return dims;
}

Returned cat(const TorchCall& c) {
  const TorchCall::Tensors all = c.tensors("tensors");
  return tensor_of(promoted(all), joined(c, all));
}

Returned stack(const TorchCall& c) {
  const TorchCall::Tensors all = c.tensors("tensors");
  if (all.types.empty()) return Type(tensor_of(0, {}));
  const Type unknown = tensor_of(promoted(all), {});
  if (!all.types[0].dims) return unknown;
  Dims dims = *all.types[0].dims;
  for (const Type& t : all.types) {
    if (!t.dims || t.dims->size() != dims.size()) return unknown;
    agree(dims, *t.dims);
  }
  const auto axis = axis_of(c.literal("dim"), dims.size() + 1);
  if (!axis) return unknown;
  const MaybeSym n = all.open ? MaybeSym() : Sym(static_cast<int64_t>(all.types.size()));
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(*axis), n);
  return tensor_of(unknown.dtype, std::move(dims));
}

Returned broadcast_tensors(const TorchCall& c) {
  const TorchCall::Tensors all = c.tensors("tensors");
  std::optional<Dims> dims = Dims{};
  for (const Type& t : all.types) {
    if (dims && t.dims)
      dims = c.sizes.broadcast(*dims, *t.dims);
    else
      dims.reset();
  }
  if (all.open && dims) dims = Dims(dims->size());
  Types r;
  for (const Type& t : all.types) r.push_back(tensor_of(t.dtype, dims));
  return {std::move(r), all.open};
}

/// What is split, and along which of its axes; dims nullopt: that is not known.
struct Whole {
  int32_t dtype;
  std::optional<Dims> dims;
  size_t axis = 0;
};

Whole whole_of(const TorchCall& c) {
  const Type& x = c.self();
  if (x.rank() > 0)
    if (const auto axis = axis_of(c.literal("dim"), x.dims->size()))
      return {x.dtype, x.dims, *axis};
  return {x.dtype, {}};
}

MaybeSym extent_of(const Whole& x) { return x.dims ? (*x.dims)[x.axis] : MaybeSym(); }

Type part_of(const Whole& x, const MaybeSym& length) {
  Type part = tensor_of(x.dtype, x.dims);
  if (part.dims) (*part.dims)[x.axis] = length;
  return part;
}

// Parts of the given lengths; none known: some number of parts.
Returned parts(const Whole& x, const std::optional<Dims>& lengths) {
  if (!lengths) return {{part_of(x, {})}, true};
  Types r;
  for (const MaybeSym& n : *lengths) r.push_back(part_of(x, n));
  return r;
}

// The extent in steps of `length`, the last one shorter.
std::optional<Dims> steps(int64_t extent, int64_t length) {
  if (length <= 0 || extent / length > kMostParts) return {};
  Dims r;
  for (int64_t at = 0; at < extent; at += length) r.push_back(Sym(std::min(length, extent - at)));
  if (r.empty()) r.push_back(Sym(0));
  return r;
}

Returned chunk(const TorchCall& c) {
  const Whole x = whole_of(c);
  const MaybeSym extent = extent_of(x);
  const auto n = c.literal("chunks");
  if (!extent || !n || *n <= 0) return parts(x, {});
  // n * k makes n parts of k; any other symbolic extent may make fewer than n
  const MaybeSym each = c.sizes.floordiv(extent, Sym(*n));
  if (*n <= kMostParts && c.sizes.mul(each, Sym(*n)) == extent)
    return parts(x, Dims(static_cast<size_t>(*n), each));
  if (!extent->is_literal()) return parts(x, {});
  return parts(x, steps(extent->literal(), each->literal() + 1));
}

Returned split(const TorchCall& c) {
  const Whole x = whole_of(c);
  const MaybeSym extent = extent_of(x);
  const auto each = c.literal("split_size");
  if (!extent || !extent->is_literal() || !each) return parts(x, {});
  return parts(x, steps(extent->literal(), *each));
}

Returned split_with_sizes(const TorchCall& c) {
  return parts(whole_of(c), c.integers("split_sizes"));
}

Returned unbind(const TorchCall& c) {
  const Whole x = whole_of(c);
  const MaybeSym n = extent_of(x);
  Type part = tensor_of(x.dtype, x.dims);
  if (part.dims) part.dims->erase(part.dims->begin() + static_cast<std::ptrdiff_t>(x.axis));
  if (!n || !n->is_literal() || n->literal() > kMostParts) return {{part}, true};
  return Types(static_cast<size_t>(n->literal()), part);
}

constexpr TypeRule kRules[] = {
    {"cat", cat},       {"stack", stack}, {"broadcast_tensors", broadcast_tensors},
    {"chunk", chunk},   {"split", split}, {"split_with_sizes", split_with_sizes},
    {"unbind", unbind},
};

}  // namespace

constinit const TypeRules kJoinRules = kRules;

}  // namespace onnx2fx::conversion
