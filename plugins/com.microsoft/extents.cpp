#include "plugins/com.microsoft/extents.hpp"

#include <algorithm>

using namespace onnx2fx;

namespace contrib {

Extents extents_of(Node& n, Value v) {
  const Info i = n.info(v);
  if (i.raw.rank < 0) return std::nullopt;
  std::vector<Extent> r(static_cast<size_t>(i.raw.rank));
  for (size_t a = 0; a < r.size(); a++) {
    if (i.raw.dims) r[a].size = i.raw.dims[a];
    if (i.raw.dim_params) r[a].name = i.raw.dim_params[a];
  }
  return r;
}

Extent extent_of(Node& n, Value v, int64_t axis) {
  const Extents all = extents_of(n, v);
  if (!all) return {};
  return (*all)[static_cast<size_t>(Node::axis(axis, static_cast<int64_t>(all->size())))];
}

static Extent common(const Extent& a, const Extent& b) {
  if (a.size == 1) return b;
  if (b.size == 1 || a.size >= 0) return a;
  if (b.size >= 0) return b;
  return a.name.len && view(a.name) == view(b.name) ? a : Extent();
}

Extents broadcast(const Extents& a, const Extents& b) {
  if (!a || !b) return std::nullopt;
  const auto& longer = a->size() >= b->size() ? *a : *b;
  const auto& shorter = a->size() >= b->size() ? *b : *a;
  std::vector<Extent> r = longer;
  const size_t offset = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); i++) r[offset + i] = common(r[offset + i], shorter[i]);
  return r;
}

Extents matmul_extents(Node& n, Value a, Value b) {
  Extents x = extents_of(n, a), y = extents_of(n, b);
  if (!x || !y || x->empty() || y->empty()) return std::nullopt;
  const bool row = x->size() == 1, column = y->size() == 1;
  const Extent rows = row ? Extent() : (*x)[x->size() - 2], columns = y->back();
  const auto batch = [](std::vector<Extent> v) {
    v.resize(v.size() - std::min<size_t>(v.size(), 2));
    return v;
  };
  Extents r = broadcast(batch(*x), batch(*y));
  if (!row) r->push_back(rows);
  if (!column) r->push_back(columns);
  return r;
}

Value typed(Node& n, Value y, int32_t dtype, const Extents& extents) {
  Info i = Info::tensor(dtype);
  std::vector<int64_t> sizes;
  std::vector<o2fx_str> names;
  if (extents) {
    for (const Extent& e : *extents) {
      sizes.push_back(e.size);
      names.push_back(e.name);
    }
    i.raw.rank = static_cast<int32_t>(sizes.size());
    i.raw.dims = sizes.data();
    i.raw.dim_params = names.data();
  }
  return n.state(y, i);
}

Value like(Node& n, Value y, Value x, int32_t dtype) {
  return typed(n, y, dtype ? dtype : n.info(x).raw.dtype, extents_of(n, x));
}

}  // namespace contrib
