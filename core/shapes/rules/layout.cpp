// The same elements, or some of them, in another shape.
#include <onnx/onnx_pb.h>

#include <algorithm>

#include "core/shapes/promotion.hpp"
#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

Returned of_self(const TorchCall& c, std::optional<Dims> dims) {
  return tensor_of(c.self().dtype, std::move(dims));
}

// Sizes as a call states them, one of which may be -1: `all` elements over the rest. A size that
// only the running module knows may itself be -1, unless another one is.
Dims stated(const Sizes& sizes, Dims shape, const MaybeSym& all) {
  const auto open =
      std::find_if(shape.begin(), shape.end(), [](const MaybeSym& s) { return s && s->is(-1); });
  if (open != shape.end()) {
    *open = Sym(1);
    *open = sizes.floordiv(all, sizes.product(shape));
    return shape;
  }
  for (MaybeSym& s : shape)
    if (!sizes.never_negative(s)) s.reset();
  return shape;
}

Returned reshape(const TorchCall& c) {
  auto shape = c.integers(c.schema.arguments[1].name);
  if (!shape) return of_self(c, {});
  const auto& x = c.self().dims;
  return of_self(c, stated(c.sizes, std::move(*shape), x ? c.sizes.product(*x) : MaybeSym()));
}

// The shape is a tensor: its length is the rank, where torch has tensors of that rank.
Returned reshape_from_tensor(const TorchCall& c) {
  constexpr int64_t kMostDims = 64;
  const auto& shape = c.tensor("shape").dims;
  if (!shape || shape->size() != 1 || !(*shape)[0] || !(*shape)[0]->is_literal())
    return of_self(c, {});
  const int64_t rank = (*shape)[0]->literal();
  if (rank > kMostDims) return of_self(c, {});
  return of_self(c, Dims(static_cast<size_t>(rank)));
}

Returned shape_as_tensor(const TorchCall& c) {
  Dims dims(1);
  if (c.self().dims) dims[0] = Sym(c.self().rank());
  return tensor_of(onnx::TensorProto::INT64, std::move(dims));
}

// "reshape_as", "expand_as".
Returned shape_of_other(const TorchCall& c) { return of_self(c, c.tensor("other").dims); }

Returned flatten(const TorchCall& c) {
  auto dims = c.self().dims;
  if (!dims) return of_self(c, {});
  const auto begin = axis_of(c.literal("start_dim"), dims->size());
  const auto end = axis_of(c.literal("end_dim"), dims->size());
  if (!begin || !end || *begin > *end) return of_self(c, {});
  if (dims->empty()) return of_self(c, Dims{Sym(1)});
  const auto at = dims->begin() + static_cast<std::ptrdiff_t>(*begin);
  *at = c.sizes.product({at, *end - *begin + 1});
  dims->erase(at + 1, dims->begin() + static_cast<std::ptrdiff_t>(*end + 1));
  return of_self(c, std::move(dims));
}

Returned unflatten(const TorchCall& c) {
  auto dims = c.self().dims;
  auto sizes = c.integers("sizes");
  if (!dims || !sizes) return of_self(c, {});
  const auto axis = axis_of(c.literal("dim"), dims->size());
  if (!axis || dims->empty()) return of_self(c, {});
  const Dims parts = stated(c.sizes, std::move(*sizes), (*dims)[*axis]);
  const auto at = dims->erase(dims->begin() + static_cast<std::ptrdiff_t>(*axis));
  dims->insert(at, parts.begin(), parts.end());
  return of_self(c, std::move(dims));
}

// A size of -1 keeps the extent.
Returned expand(const TorchCall& c) {
  auto size = c.integers("size");
  const auto& x = c.self().dims;
  if (!size) return of_self(c, {});
  for (size_t i = 0; i < size->size(); i++) {
    MaybeSym& s = (*size)[i];
    if (s && s->is(-1)) {
      const size_t missing = x ? size->size() - std::min(x->size(), size->size()) : 0;
      s = x && i >= missing ? (*x)[i - missing] : MaybeSym();
    } else if (!c.sizes.never_negative(s)) {
      s.reset();
    }
  }
  return of_self(c, std::move(size));
}

Returned repeat(const TorchCall& c) {
  auto times = c.integers(c.schema.arguments[1].name);
  auto dims = c.self().dims;
  if (!dims || !times)
    return of_self(c, times && !c.says("tile") ? std::optional(Dims(times->size())) : std::nullopt);
  const size_t rank = c.says("tile") ? std::max(dims->size(), times->size()) : times->size();
  if (dims->size() > rank) return of_self(c, {});
  dims->insert(dims->begin(), rank - dims->size(), Sym(1));
  times->insert(times->begin(), rank - times->size(), Sym(1));
  for (size_t i = 0; i < rank; i++) (*dims)[i] = c.sizes.mul((*dims)[i], (*times)[i]);
  return of_self(c, std::move(dims));
}

Returned repeat_interleave(const TorchCall& c) {
  auto dims = c.self().dims;
  const MaybeSym times = c.integer("repeats");
  if (!c.given("dim"))
    return of_self(c, Dims{dims ? c.sizes.mul(c.sizes.product(*dims), times) : MaybeSym()});
  if (!dims) return of_self(c, {});
  const auto axis = axis_of(c.literal("dim"), dims->size());
  if (!axis) return of_self(c, {});
  if (dims->empty()) return of_self(c, Dims{times});
  (*dims)[*axis] = c.sizes.mul((*dims)[*axis], times);
  return of_self(c, std::move(dims));
}

Returned select(const TorchCall& c) {
  auto dims = c.self().dims;
  if (!dims || dims->empty()) return of_self(c, {});
  const auto axis = axis_of(c.literal("dim"), dims->size());
  if (!axis) return of_self(c, {});
  dims->erase(dims->begin() + static_cast<std::ptrdiff_t>(*axis));
  return of_self(c, std::move(dims));
}

MaybeSym bound(const TorchCall& c, std::string_view name, int64_t or_else) {
  return c.given(name) ? c.integer(name) : MaybeSym(Sym(or_else));
}

Returned slice(const TorchCall& c) {
  auto dims = c.self().dims;
  if (!dims || dims->empty()) return of_self(c, {});
  const auto axis = axis_of(c.literal("dim"), dims->size());
  if (!axis) return of_self(c, Dims(dims->size()));
  MaybeSym& extent = (*dims)[*axis];
  extent =
      c.sizes.sliced(extent, bound(c, "start", 0), bound(c, "end", INT64_MAX), c.integer("step"));
  return of_self(c, std::move(dims));
}

// Windows of `size` along an axis, each a new last axis.
Returned unfold(const TorchCall& c) {
  auto dims = c.self().dims;
  if (!dims) return of_self(c, {});
  const MaybeSym size = c.integer("size"), step = c.integer("step");
  const auto axis = axis_of(c.literal("dimension"), dims->size());
  if (!axis) return of_self(c, {});
  if (!dims->empty()) {
    MaybeSym& extent = (*dims)[*axis];
    extent = c.sizes.add(c.sizes.floordiv(c.sizes.sub(extent, size), step), Sym(1));
  }
  dims->push_back(size);
  return of_self(c, std::move(dims));
}

Returned unsqueeze(const TorchCall& c) {
  auto dims = c.self().dims;
  if (!dims) return of_self(c, {});
  const auto axis = axis_of(c.literal("dim"), dims->size() + 1);
  if (!axis) return of_self(c, {});
  dims->insert(dims->begin() + static_cast<std::ptrdiff_t>(*axis), Sym(1));
  return of_self(c, std::move(dims));
}

// An axis that may be 1 or not leaves the rank open.
Returned squeeze(const TorchCall& c) {
  const auto& x = c.self().dims;
  if (!x) return of_self(c, {});
  std::vector<bool> asked(x->size(), !c.given("dim"));
  if (c.given("dim")) {
    const auto list = c.literals("dim");
    if (!list) return of_self(c, {});
    for (const int64_t d : *list) {
      const auto axis = axis_of(d, x->size());
      if (!axis) return of_self(c, {});
      if (!x->empty()) asked[*axis] = true;
    }
  }
  Dims dims;
  for (size_t i = 0; i < x->size(); i++) {
    const MaybeSym& extent = (*x)[i];
    if (asked[i] && (!extent || !extent->is_literal())) return of_self(c, {});
    if (!asked[i] || !extent->is(1)) dims.push_back(extent);
  }
  return of_self(c, std::move(dims));
}

Returned transpose(const TorchCall& c) {
  auto dims = c.self().dims;
  if (!dims) return of_self(c, {});
  const auto a = axis_of(c.literal("dim0"), dims->size());
  const auto b = axis_of(c.literal("dim1"), dims->size());
  if (!a || !b) return of_self(c, Dims(dims->size()));
  if (!dims->empty()) std::swap((*dims)[*a], (*dims)[*b]);
  return of_self(c, std::move(dims));
}

Returned matrix_transpose(const TorchCall& c) {
  auto dims = c.self().dims;
  if (dims) std::reverse(dims->begin(), dims->end());
  return of_self(c, std::move(dims));
}

Returned permute(const TorchCall& c) {
  const auto& x = c.self().dims;
  const auto order = c.literals("dims");
  if (!x || !order || order->size() != x->size()) return of_self(c, {});
  Dims dims;
  for (const int64_t d : *order) {
    const auto axis = axis_of(d, x->size());
    dims.push_back(axis ? (*x)[*axis] : MaybeSym());
  }
  return of_self(c, std::move(dims));
}

Returned movedim(const TorchCall& c) {
  const auto& x = c.self().dims;
  const auto from = c.literals("source"), to = c.literals("destination");
  if (!x || !from || !to || from->size() != to->size()) return of_self(c, {});
  const size_t rank = x->size();
  std::vector<std::optional<size_t>> place(rank);  // of the result, where it comes from
  std::vector<bool> moved(rank);
  for (size_t i = 0; i < from->size(); i++) {
    const auto source = axis_of((*from)[i], rank), target = axis_of((*to)[i], rank);
    if (!source || !target) return of_self(c, Dims(rank));
    if (rank == 0) continue;
    place[*target] = *source;
    moved[*source] = true;
  }
  Dims dims;
  size_t next = 0;
  for (size_t i = 0; i < rank; i++) {
    while (!place[i] && next < rank && moved[next]) next++;
    if (!place[i] && next == rank) return of_self(c, Dims(rank));
    dims.push_back((*x)[place[i] ? *place[i] : next++]);
  }
  return of_self(c, std::move(dims));
}

Returned diag_embed(const TorchCall& c) {
  auto dims = c.self().dims;
  if (!dims || dims->empty()) return of_self(c, {});
  const size_t rank = dims->size() + 1;
  auto a = axis_of(c.literal("dim1"), rank), b = axis_of(c.literal("dim2"), rank);
  const auto offset = c.literal("offset");
  if (!a || !b || *a == *b || !offset) return of_self(c, Dims(rank));
  const MaybeSym side = c.sizes.add(dims->back(), Sym(*offset < 0 ? -*offset : *offset));
  dims->pop_back();
  dims->insert(dims->begin() + static_cast<std::ptrdiff_t>(std::min(*a, *b)), side);
  dims->insert(dims->begin() + static_cast<std::ptrdiff_t>(std::max(*a, *b)), side);
  return of_self(c, std::move(dims));
}

Returned at_least_1d(const TorchCall& c) {
  auto dims = c.self().dims;
  if (dims && dims->empty()) dims->push_back(Sym(1));
  return of_self(c, std::move(dims));
}

// The same bytes: the last axis holds more or fewer elements.
Returned view_dtype(const TorchCall& c) {
  const int32_t dtype = c.dtype(0);
  const int64_t before = element_bytes(c.self().dtype), after = element_bytes(dtype);
  auto dims = c.self().dims;
  if (dims && before != after) {
    if (dims->empty() || !before || !after) return tensor_of(dtype, Dims(dims->size()));
    dims->back() = c.sizes.floordiv(c.sizes.mul(dims->back(), Sym(before)), Sym(after));
  }
  return tensor_of(dtype, std::move(dims));
}

Returned view_as_real(const TorchCall& c) {
  auto dims = c.self().dims;
  if (dims) dims->push_back(Sym(2));
  return tensor_of(real_of(c.self().dtype), std::move(dims));
}

// Pairs (before, after) from the last axis on; a negative one cuts.
Returned pad(const TorchCall& c) {
  auto dims = c.self().dims;
  const auto pads = c.integers(c.schema.arguments[1].name);
  if (!dims || !pads || pads->size() > 2 * dims->size())
    return of_self(c, dims ? std::optional(Dims(dims->size())) : std::nullopt);
  for (size_t i = 0; i + 1 < pads->size(); i += 2) {
    MaybeSym& extent = (*dims)[dims->size() - 1 - i / 2];
    extent = c.sizes.add(extent, c.sizes.add((*pads)[i], (*pads)[i + 1]));
  }
  return of_self(c, std::move(dims));
}

Returned pixel_shuffle(const TorchCall& c) {
  auto dims = c.self().dims;
  const bool joins = c.says("unshuffle");
  const MaybeSym r = c.integer(c.schema.arguments[1].name), area = c.sizes.mul(r, r);
  if (!dims || dims->size() < 3) return of_self(c, {});
  for (size_t i = dims->size() - 3; i < dims->size(); i++) {
    const bool channels = i == dims->size() - 3;
    MaybeSym& d = (*dims)[i];
    const MaybeSym& by = channels ? area : r;
    d = channels != joins ? c.sizes.floordiv(d, by) : c.sizes.mul(d, by);
  }
  return of_self(c, std::move(dims));
}

// glu: one half gates the other.
Returned halved(const TorchCall& c) {
  auto dims = c.self().dims;
  const auto axis = dims ? axis_of(c.literal("dim"), dims->size()) : std::nullopt;
  if (!axis || dims->empty()) return of_self(c, {});
  (*dims)[*axis] = c.sizes.floordiv((*dims)[*axis], Sym(2));
  return of_self(c, std::move(dims));
}

constexpr TypeRule kRules[] = {
    {"halved", halved},
    {"reshape", reshape},
    {"reshape_from_tensor", reshape_from_tensor},
    {"shape_as_tensor", shape_as_tensor},
    {"shape_of_other", shape_of_other},
    {"flatten", flatten},
    {"unflatten", unflatten},
    {"expand", expand},
    {"repeat", repeat},
    {"repeat_interleave", repeat_interleave},
    {"select", select},
    {"slice", slice},
    {"unfold", unfold},
    {"unsqueeze", unsqueeze},
    {"squeeze", squeeze},
    {"transpose", transpose},
    {"matrix_transpose", matrix_transpose},
    {"permute", permute},
    {"movedim", movedim},
    {"diag_embed", diag_embed},
    {"at_least_1d", at_least_1d},
    {"view_dtype", view_dtype},
    {"view_as_real", view_as_real},
    {"pad", pad},
    {"pixel_shuffle", pixel_shuffle},
};

}  // namespace

constinit const TypeRules kLayoutRules = kRules;

}  // namespace onnx2fx::conversion
