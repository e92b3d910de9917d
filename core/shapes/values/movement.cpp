#include <algorithm>
#include <string>

#include "core/shapes/host_error.hpp"
#include "core/shapes/real.hpp"
#include "core/shapes/values/rule.hpp"

namespace onnx2fx::conversion {
namespace {

// ---- of a shape

Result shape(const Rule& r) {
  const int64_t rank = r.rank(0);
  if (rank < 0) return {};
  const auto bound = [&](int64_t x) { return std::clamp<int64_t>(x < 0 ? x + rank : x, 0, rank); };
  const int64_t begin = bound(r.n.integer("start", 0)), end = bound(r.n.integer("end", rank));
  Tracked out;
  for (int64_t i = begin; i < end; i++) out.elements.emplace_back(r.operands.dim(0, i));
  out.extents = {static_cast<int64_t>(out.elements.size())};
  return out;
}

Result size(const Rule& r) {
  if (r.rank(0) < 0) return {};
  std::vector<MaybeSym> dims;
  for (int64_t i = 0; i < r.rank(0); i++) dims.emplace_back(r.operands.dim(0, i));
  return Tracked{{}, {r.syms().product(dims)}};
}

// ---- in their order

Result same(const Rule& r) {
  const auto x = r.elements(0);
  if (!x || !r.output.dims) return {};
  Tracked out{{}, {}};
  for (const MaybeSym& d : *r.output.dims) {
    if (d && d->is_literal())
      out.extents.push_back(d->literal());
    else if (r.output.rank() == 1)
      out.extents.push_back(static_cast<int64_t>(x->size()));
    else
      return {};
  }
  for (size_t i = 0; i < x->size(); i++) out.elements.push_back(x->at(i));
  return out;
}

// ---- from other places

Result transpose(const Rule& r) {
  const auto x = r.elements(0);
  if (!x) return {};
  std::vector<int64_t> order = r.n.integers("perm");
  if (!r.n.attribute("perm"))
    for (size_t i = x->rank(); i > 0; i--) order.push_back(static_cast<int64_t>(i - 1));
  const Extents strides = strides_of(x->extents());
  if (order.size() != x->rank()) return {};
  Extents extents, steps;
  std::vector<bool> seen(x->rank());
  for (const int64_t from : order) {
    const auto axis = axis_in(from, x->rank());
    if (!axis || seen[*axis]) return {};
    seen[*axis] = true;
    extents.push_back(x->extents()[*axis]);
    steps.push_back(strides[*axis]);
  }
  return Tracked{extents, taken(*x, places(extents, steps))};
}

// A position of an axis, counted from the front.
int64_t position(int64_t index, int64_t extent) {
  if (index < -extent || index >= extent)
    throw HostError(O2FX_E_MODEL, "index " + std::to_string(index) + ": expected one below " +
                                      std::to_string(extent));
  return index < 0 ? index + extent : index;
}

// Of the Shape of a value whose rank is unknown.
Result measured(const Rule& r, const Elements& index) {
  Tracked out{index.extents(), {}};
  for (size_t i = 0; i < index.size(); i++) {
    const auto at = index.literal(i);
    out.elements.push_back(at ? r.operands.measured(0, *at) : MaybeSym());
  }
  return out;
}

Result gather(const Rule& r) {
  const auto x = r.elements(0), index = r.elements(1);
  if (!index) return {};
  if (!x) return r.rank(0) == 1 ? measured(r, *index) : Result();
  const auto axis = axis_in(r.n.integer("axis", 0), x->rank());
  const auto positions = index->literals();
  if (!axis || !positions) return {};
  const Extents strides = strides_of(x->extents());
  const int64_t extent = x->extents()[*axis];
  Extents head = x->extents(), tail = x->extents();
  head.resize(*axis);
  tail.erase(tail.begin(), tail.begin() + static_cast<std::ptrdiff_t>(*axis) + 1);
  Tracked out{head, {}};
  out.extents.insert(out.extents.end(), index->extents().begin(), index->extents().end());
  out.extents.insert(out.extents.end(), tail.begin(), tail.end());
  if (!count_of(out.extents)) return {};
  const auto rest = static_cast<std::ptrdiff_t>(*axis) + 1;
  const Extents inner(strides.begin() + rest, strides.end());
  const Extents outer(strides.begin(), strides.begin() + rest - 1);
  for (const size_t first : places(head, outer))
    for (const int64_t p : *positions) {
      const int64_t at = static_cast<int64_t>(first) + position(p, extent) * strides[*axis];
      const auto part = taken(*x, places(tail, inner, at));
      out.elements.insert(out.elements.end(), part.begin(), part.end());
    }
  return out;
}

// The positions that a slice takes of one axis: `count` of them from `begin` on.
struct Cut {
  int64_t begin, count;
};
Cut cut(int64_t start, int64_t end, int64_t step, int64_t extent) {
  const auto bound = [&](int64_t x, int64_t low, int64_t high) {
    return std::clamp(x < 0 ? x + extent : x, low, high);
  };
  if (extent == 0) return {0, 0};
  const bool forwards = step > 0;
  const int64_t from = forwards ? bound(start, 0, extent) : bound(start, 0, extent - 1);
  const int64_t to = forwards ? bound(end, 0, extent) : bound(end, -1, extent - 1);
  const __int128 span = forwards ? to - from : from - to, each = forwards ? step : -__int128{step};
  return {from, span <= 0 ? 0 : static_cast<int64_t>((span + each - 1) / each)};
}

struct Slicing {
  std::optional<std::vector<int64_t>> starts, ends, axes, steps;
};
std::optional<Slicing> slicing(const Rule& r) {
  const int64_t since = 10;
  Slicing s{r.list("starts", 1, since), r.list("ends", 2, since), r.list("axes", 3, since),
            r.list("steps", 4, since)};
  if (!s.starts || !s.ends || !s.axes || !s.steps) return {};
  const size_t count = s.starts->size();
  if (!r.has(3) && !r.n.attribute("axes"))
    for (size_t i = 0; i < count; i++) s.axes->push_back(static_cast<int64_t>(i));
  if (!r.has(4)) s.steps->assign(count, 1);
  if (s.ends->size() != count || s.axes->size() != count || s.steps->size() != count) return {};
  return s;
}

Result slice(const Rule& r) {
  const auto x = r.elements(0);
  const auto s = x ? slicing(r) : std::nullopt;
  if (!s) return {};
  Extents extents = x->extents(), strides = strides_of(extents);
  int64_t first = 0;
  std::vector<bool> seen(x->rank());
  for (size_t i = 0; i < s->starts->size(); i++) {
    const size_t axis = axis_in((*s->axes)[i], x->rank()).value_or(x->rank());
    const int64_t step = (*s->steps)[i];
    if (axis == x->rank() || step == 0 || seen[axis]) return {};
    seen[axis] = true;
    const Cut c = cut((*s->starts)[i], (*s->ends)[i], step, extents[axis]);
    first += c.begin * strides[axis];
    extents[axis] = c.count;
    strides[axis] = c.count > 1 ? strides[axis] * step : 0;
  }
  if (count_of(extents) == 0) return Tracked{extents, {}};
  return Tracked{extents, taken(*x, places(extents, strides, first))};
}

// ---- of several, or more than once

// An input that is not tracked leaves its elements unknown.
Result concat(const Rule& r) {
  std::vector<Extents> all;
  for (size_t i = 0; i < r.size(); i++) {
    const auto extents = r.extents(i);
    if (!extents || !count_of(*extents) || extents->size() != r.extents(0)->size()) return {};
    all.push_back(*extents);
  }
  const auto axis = all.empty() ? std::nullopt : axis_in(r.n.integer("axis", 1), all[0].size());
  if (!axis) return {};
  Tracked out{all[0], {}};
  out.extents[*axis] = 0;
  for (Extents& e : all) {
    out.extents[*axis] += e[*axis];
    for (size_t k = 0; k < e.size(); k++)
      if (k != *axis && e[k] != all[0][k]) return {};
  }
  if (!count_of(out.extents)) return {};
  int64_t blocks = 1;
  for (size_t k = 0; k < *axis; k++) blocks *= all[0][k];
  for (int64_t b = 0; b < blocks; b++)
    for (size_t i = 0; i < all.size(); i++) {
      const auto x = r.elements(i);
      const int64_t each = *count_of(all[i]) / blocks;
      for (int64_t k = b * each; k < (b + 1) * each; k++)
        out.elements.push_back(x ? x->at(static_cast<size_t>(k)) : MaybeSym());
    }
  return out;
}

MaybeSym fill_of(const Rule& r) {
  const auto* value = r.n.attribute("value");
  if (!value) return Sym(0);
  const onnx::TensorProto& t = value->t();
  if (t.data_type() == onnx::TensorProto::FLOAT && t.float_data_size() == 1)
    return real_literal(r.syms(), static_cast<double>(t.float_data(0)));
  if (t.data_type() == onnx::TensorProto::FLOAT && t.raw_data().size() == sizeof(float))
    return constant_reals(
        r.syms(), t.data_type(),
        {reinterpret_cast<const uint8_t*>(t.raw_data().data()), sizeof(float)})[0];
  const auto one = constant_ints(t);
  return one && one->size() == 1 ? (*one)[0] : MaybeSym();
}

Result constant_of_shape(const Rule& r) {
  const auto extents = r.literals(0);
  const auto n = extents ? count_of(*extents) : std::nullopt;
  if (!n) return {};
  return Tracked{*extents, std::vector<MaybeSym>(static_cast<size_t>(*n), fill_of(r))};
}

Result expand(const Rule& r) {
  const auto x = r.elements(0);
  const auto shape = r.literals(1);
  if (!x || !shape) return {};
  const auto extents = broadcast({x->extents(), *shape});
  if (!extents) return {};
  return Tracked{*extents, taken(*x, places(*extents, strides_in(x->extents(), *extents)))};
}

Result tile(const Rule& r) {
  const auto x = r.elements(0);
  const auto times = r.literals(1);
  if (!x || !times || r.n.opset < 6 || times->size() != x->rank()) return {};
  const Extents strides = strides_of(x->extents());
  Extents extents, doubled, steps;
  for (size_t i = 0; i < x->rank(); i++) {
    const int64_t e = x->extents()[i];
    doubled.insert(doubled.end(), {(*times)[i], e});
    steps.insert(steps.end(), {0, strides[i]});
    if (!count_of(doubled)) return {};
    extents.push_back((*times)[i] * e);
  }
  return Tracked{extents, taken(*x, places(doubled, steps))};
}

constexpr NamedRule kRules[] = {
    {"Concat", concat},  {"ConstantOfShape", constant_of_shape},
    {"Expand", expand},  {"Flatten", same},
    {"Gather", gather},  {"Reshape", same},
    {"Shape", shape},    {"Size", size},
    {"Slice", slice},    {"Squeeze", same},
    {"Tile", tile},      {"Transpose", transpose},
    {"Unsqueeze", same},
};

}  // namespace

std::span<const NamedRule> movement_rules() { return kRules; }

std::vector<Result> split_rule(const Rule& r, size_t n_outputs) {
  std::vector<Result> out(n_outputs);
  const auto x = r.elements(0);
  const auto axis = x ? axis_in(r.n.integer("axis", 0), x->rank()) : std::nullopt;
  auto parts = r.list("split", 1, 13);
  if (!axis || !parts || n_outputs == 0) return out;
  const int64_t extent = x->extents()[*axis];
  if (!r.has(1) && !r.n.attribute("split")) {
    const auto n = static_cast<int64_t>(n_outputs), each = (extent + n - 1) / n;
    for (int64_t i = 0; i < n; i++)
      parts->push_back(std::clamp<int64_t>(extent - i * each, 0, each));
  }
  int64_t total = 0;
  for (const int64_t p : *parts) {
    if (p < 0 || p > extent) return out;
    total += p;
  }
  if (parts->size() != n_outputs || total != extent) return out;
  const Extents strides = strides_of(x->extents());
  int64_t first = 0;
  for (size_t i = 0; i < n_outputs; i++) {
    Extents extents = x->extents();
    extents[*axis] = (*parts)[i];
    out[i] = Tracked{extents, taken(*x, places(extents, strides, first * strides[*axis]))};
    first += (*parts)[i];
  }
  return out;
}

}  // namespace onnx2fx::conversion
