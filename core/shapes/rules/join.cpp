// Several tensors into one, one into several.
#include <algorithm>

#include "core/shapes/promotion.hpp"
#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

int32_t promoted(const Call::Tensors& all) {
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

std::optional<Dims> joined(const Call& c, const Call::Tensors& all) {
  std::optional<Dims> dims;
  MaybeSym length = Sym(0);
  std::optional<size_t> axis;
  for (const Type& t : all.types) {
    if (!t.dims) return {};
    if (is_nothing(t)) continue;
    if (!dims) {
      dims = t.dims;
      axis = axis_of(c.literal("dim"), dims->size());
      if (!axis || dims->empty()) return {};
    } else if (t.dims->size() != dims->size()) {
      return {};
    }
    length = c.sizes.add(length, (*t.dims)[*axis]);
    agree(*dims, *t.dims);
  }
  if (!dims) return Dims{Sym(0)};
  (*dims)[*axis] = all.open ? MaybeSym() : length;
  return dims;
}

Returned cat(const Call& c) {
  const Call::Tensors all = c.tensors("tensors");
  return tensor_of(promoted(all), joined(c, all));
}

Returned stack(const Call& c) {
  const Call::Tensors all = c.tensors("tensors");
  if (all.types.empty()) return Type(tensor_of(0, {}));
  std::optional<Dims> dims = all.types[0].dims;
  for (const Type& t : all.types) {
    if (!t.dims || !dims || t.dims->size() != dims->size())
      dims.reset();
    else
      agree(*dims, *t.dims);
  }
  const auto axis = dims ? axis_of(c.literal("dim"), dims->size() + 1) : std::nullopt;
  if (!axis) return tensor_of(promoted(all), {});
  const MaybeSym n = all.open ? MaybeSym() : Sym(static_cast<int64_t>(all.types.size()));
  dims->insert(dims->begin() + static_cast<std::ptrdiff_t>(*axis), n);
  return tensor_of(promoted(all), std::move(dims));
}

Returned broadcast_tensors(const Call& c) {
  const Call::Tensors all = c.tensors("tensors");
  std::optional<Dims> dims = Dims{};
  for (const Type& t : all.types) {
    if (dims && t.dims)
      dims = Sizes::broadcast(*dims, *t.dims);
    else
      dims.reset();
  }
  if (all.open && dims) dims = Dims(dims->size());
  Types r;
  for (const Type& t : all.types) r.push_back(tensor_of(t.dtype, dims));
  return {std::move(r), all.open};
}

// Parts along `dim` of the given lengths; none known: some number of parts.
Returned parts(const Call& c, const std::optional<Dims>& lengths) {
  const Type& x = c.self();
  Type part = tensor_of(x.dtype, x.dims);
  const auto axis = x.dims ? axis_of(c.literal("dim"), x.dims->size()) : std::nullopt;
  if (!axis || x.dims->empty()) part.dims.reset();
  if (!lengths) {
    if (part.dims) (*part.dims)[*axis].reset();
    return {{part}, true};
  }
  Types r;
  for (const MaybeSym& n : *lengths) {
    r.push_back(part);
    if (part.dims) (*r.back().dims)[*axis] = n;
  }
  return r;
}

// The extent in steps of `length`, the last one shorter.
std::optional<Dims> steps(int64_t extent, int64_t length) {
  constexpr int64_t kMost = 4096;
  if (length <= 0 || extent / length > kMost) return {};
  Dims r;
  for (int64_t at = 0; at < extent; at += length) r.push_back(Sym(std::min(length, extent - at)));
  if (r.empty()) r.push_back(Sym(0));
  return r;
}

MaybeSym extent_of(const Call& c) {
  const auto& dims = c.self().dims;
  const auto axis = dims ? axis_of(c.literal("dim"), dims->size()) : std::nullopt;
  return axis && !dims->empty() ? (*dims)[*axis] : MaybeSym();
}

Returned chunk(const Call& c) {
  const MaybeSym extent = extent_of(c);
  const auto n = c.literal("chunks");
  if (!extent || !n || *n <= 0) return parts(c, {});
  const MaybeSym each = c.sizes.ceildiv(extent, Sym(*n));
  if (extent->is(0)) return parts(c, Dims(static_cast<size_t>(std::min<int64_t>(*n, 4096)), Sym(0)));
  if (extent->is_literal() && each) return parts(c, steps(extent->literal(), each->literal()));
  // n * k makes n parts of k; any other symbolic extent may make fewer than n
  if (each && *n <= 4096 && c.sizes.mul(each, Sym(*n)) == extent)
    return parts(c, Dims(static_cast<size_t>(*n), each));
  return parts(c, {});
}

Returned split(const Call& c) {
  const MaybeSym extent = extent_of(c), each = c.integer("split_size");
  if (!extent || !each || !each->is_literal()) return parts(c, {});
  if (extent->is_literal()) return parts(c, steps(extent->literal(), each->literal()));
  return parts(c, {});
}

Returned split_with_sizes(const Call& c) { return parts(c, c.integers("split_sizes")); }

Returned unbind(const Call& c) {
  const Type& x = c.self();
  Type part = tensor_of(x.dtype, x.dims);
  const auto axis = x.dims ? axis_of(c.literal("dim"), x.dims->size()) : std::nullopt;
  if (!axis || x.dims->empty()) {
    part.dims.reset();
    return {{part}, true};
  }
  const MaybeSym n = (*x.dims)[*axis];
  part.dims->erase(part.dims->begin() + static_cast<std::ptrdiff_t>(*axis));
  if (!n || !n->is_literal() || n->literal() > 4096) return {{part}, true};
  return Types(static_cast<size_t>(n->literal()), part);
}

constexpr TypeRule kRules[] = {
    {"cat", cat},     {"stack", stack}, {"broadcast_tensors", broadcast_tensors},
    {"chunk", chunk}, {"split", split}, {"split_with_sizes", split_with_sizes},
    {"unbind", unbind},
};

}  // namespace

constinit const TypeRules kJoinRules = kRules;

}  // namespace onnx2fx::conversion
