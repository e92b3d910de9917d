// Elements by their places, sorted, counted.
#include <onnx/onnx_pb.h>

#include <algorithm>

#include "core/shapes/promotion.hpp"
#include "core/shapes/rules/families.hpp"

namespace onnx2fx::conversion {
namespace {

using Kind = Operand::Kind;
using D = onnx::TensorProto;

Returned of_self(const TorchCall& c, std::optional<Dims> dims) {
  return tensor_of(c.self().dtype, std::move(dims));
}

// "gather", "take": one element for each index.
Returned shape_of_index(const TorchCall& c) { return of_self(c, c.tensor("index").dims); }

Returned take_along_dim(const TorchCall& c) {
  const auto &x = c.self().dims, &index = c.tensor("indices").dims;
  if (!c.given("dim"))
    return of_self(c,
                   index ? std::optional(Dims{c.sizes.product(*index)}) : std::optional(Dims(1)));
  if (!x || !index || x->size() != index->size()) return of_self(c, {});
  const auto axis = axis_of(c.literal("dim"), x->size());
  Dims dims = c.sizes.broadcast(*x, *index);
  if (axis && !dims.empty()) dims[*axis] = (*index)[*axis];
  return of_self(c, axis ? std::move(dims) : Dims(x->size()));
}

Returned index_select(const TorchCall& c) {
  auto dims = c.self().dims;
  const auto& index = c.tensor("index").dims;
  if (!dims) return of_self(c, {});
  const auto axis = axis_of(c.literal("dim"), dims->size());
  if (!axis) return of_self(c, Dims(dims->size()));
  if (!dims->empty()) (*dims)[*axis] = index ? c.sizes.product(*index) : MaybeSym();
  return of_self(c, std::move(dims));
}

Returned embedding(const TorchCall& c) {
  auto dims = c.tensor("indices").dims;
  const auto& weight = c.self().dims;
  if (dims) dims->push_back(weight && weight->size() == 2 ? (*weight)[1] : MaybeSym());
  return of_self(c, std::move(dims));
}

// x[i, :, mask]: indices broadcast to one block, which stands where they were if they stood side by
// side, else in front. A mask takes as many axes as it has, and gives as many places as it has
// ones.
struct Indexed {
  Dims block, before, after;
  bool apart = false;
};

bool take(const Sizes& sizes, const Operand& o, const Dims& x, size_t& axis, Indexed& r, bool& any,
          bool& closed) {
  if (o.kind != Kind::kValue) {  // ":"
    if (axis >= x.size()) return false;
    (any ? r.after : r.before).push_back(x[axis++]);
    closed = any;
    return true;
  }
  if (!o.type->dims || !o.type->dtype) return false;
  const bool mask = o.type->dtype == D::BOOL || o.type->dtype == D::UINT8;
  const size_t taken = mask ? o.type->dims->size() : 1;
  if (axis + taken > x.size()) return false;
  axis += taken;
  r.apart |= closed;
  r.block = any ? sizes.broadcast(r.block, mask ? Dims(1) : *o.type->dims)
                : (mask ? Dims(1) : *o.type->dims);
  any = true;
  return true;
}

Returned index(const TorchCall& c) {
  const auto& x = c.self().dims;
  if (!x || c.operand("indices").kind != Kind::kList) return of_self(c, {});
  Indexed r;
  size_t axis = 0;
  bool any = false, closed = false;
  for (const Operand& o : c.operand("indices").items)
    if (!take(c.sizes, o, *x, axis, r, any, closed)) return of_self(c, {});
  r.after.insert(r.after.end(), x->begin() + static_cast<std::ptrdiff_t>(axis), x->end());
  Dims dims = r.apart ? r.block : r.before;
  const Dims& second = r.apart ? r.before : r.block;
  dims.insert(dims.end(), second.begin(), second.end());
  dims.insert(dims.end(), r.after.begin(), r.after.end());
  return of_self(c, std::move(dims));
}

// [number of ones, rank]: data-dependent.
Returned nonzero(const TorchCall& c) {
  Dims dims(2);
  if (c.self().dims) dims[1] = Sym(c.self().rank());
  return tensor_of(D::INT64, std::move(dims));
}

Returned one_hot(const TorchCall& c) {
  auto dims = c.self().dims;
  const MaybeSym n = c.integer("num_classes");
  if (dims) dims->push_back(c.sizes.never_negative(n) ? n : MaybeSym());
  return tensor_of(D::INT64, std::move(dims));
}

Returned searchsorted(const TorchCall& c) {
  const auto narrow = c.flag("out_int32");
  return tensor_of(!narrow ? 0 : *narrow ? D::INT32 : int32_t{D::INT64}, c.tensor("self").dims);
}

Returned sorted(const TorchCall& c) {
  return Types{of_self(c, c.self().dims).types[0], tensor_of(D::INT64, c.self().dims)};
}

Returned places(const TorchCall& c) { return tensor_of(D::INT64, c.self().dims); }

Returned topk(const TorchCall& c) {
  auto dims = c.self().dims;
  if (dims && !dims->empty()) {
    const auto axis = axis_of(c.literal("dim"), dims->size());
    if (axis)
      (*dims)[*axis] = c.integer("k");
    else
      dims = Dims(dims->size());
  }
  return Types{tensor_of(c.self().dtype, dims), tensor_of(D::INT64, dims)};
}

// Distinct values of all elements, where each went, how often each came; what was not asked for is
// empty.
Returned unique(const TorchCall& c) {
  const auto inverse = c.flag("return_inverse"), counts = c.flag("return_counts");
  const auto asked = [](std::optional<bool> wanted, std::optional<Dims> dims) {
    if (!wanted) return std::optional<Dims>();
    return *wanted ? std::move(dims) : std::optional(Dims{Sym(0)});
  };
  return Types{of_self(c, Dims(1)).types[0], tensor_of(D::INT64, asked(inverse, c.self().dims)),
               tensor_of(D::INT64, asked(counts, Dims(1)))};
}

// Distinct slices along an axis, where each went, how often each came: asked for or not.
Returned unique_dim(const TorchCall& c) {
  auto dims = c.self().dims;
  const auto axis = dims ? axis_of(c.literal("dim"), dims->size()) : std::nullopt;
  MaybeSym length;
  if (axis && !dims->empty()) {
    length = (*dims)[*axis];
    (*dims)[*axis].reset();
  } else if (dims) {
    dims = Dims(dims->size());
  }
  return Types{of_self(c, std::move(dims)).types[0], tensor_of(D::INT64, Dims{length}),
               tensor_of(D::INT64, Dims(1))};
}

Returned multinomial(const TorchCall& c) {
  auto dims = c.self().dims;
  if (dims && !dims->empty()) dims->back() = c.integer("num_samples");
  return tensor_of(D::INT64, std::move(dims));
}

constexpr TypeRule kRules[] = {
    {"shape_of_index", shape_of_index},
    {"take_along_dim", take_along_dim},
    {"index_select", index_select},
    {"embedding", embedding},
    {"index", index},
    {"nonzero", nonzero},
    {"one_hot", one_hot},
    {"searchsorted", searchsorted},
    {"sorted", sorted},
    {"places", places},
    {"topk", topk},
    {"unique", unique},
    {"unique_dim", unique_dim},
    {"multinomial", multinomial},
};

}  // namespace

constinit const TypeRules kIndexRules = kRules;

}  // namespace onnx2fx::conversion
