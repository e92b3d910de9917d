// Where ONNX's shape inference stops at a symbolic extent, these go on: one rule per operator, each
// the operator's own shape equation on Syms. They only fill extents that are unknown.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "core/shapes/infer.hpp"

namespace onnx2fx::conversion {
namespace {

using Dims = std::vector<MaybeSym>;

struct Rule {
  Builder& b;
  const NodeView& n;

  SymTable& syms() const { return b.syms; }
  bool has(size_t i) const { return i < n.inputs.size() && n.inputs[i]; }
  /// Dims of an input; nullopt: absent, no tensor, rank unknown. Unknown extents become atoms of
  /// the value.
  std::optional<Dims> dims(size_t i) const {
    if (!has(i) || !b.type(n.inputs[i]).dims) return {};
    Dims d;
    for (int k = 0; k < b.type(n.inputs[i]).rank(); k++) d.push_back(b.dim(n.inputs[i], k));
    return d;
  }
  std::optional<std::vector<MaybeSym>> ints(size_t i) const {
    return has(i) ? b.value(n.inputs[i]).ints : std::nullopt;
  }
  MaybeSym add(const MaybeSym& x, const MaybeSym& y, int64_t sign = 1) const {
    return x && y ? syms().add(*x, *y, sign) : MaybeSym();
  }
  MaybeSym mul(const MaybeSym& x, const MaybeSym& y) const {
    return x && y ? syms().mul(*x, *y) : MaybeSym();
  }
  MaybeSym floordiv(const MaybeSym& x, const MaybeSym& y) const {
    return x && y ? syms().floordiv(*x, *y) : MaybeSym();
  }
};
using RuleFn = std::optional<Dims> (*)(const Rule&, const Type& inferred);

std::optional<Dims> reshape(const Rule& r, const Type&) {
  const auto shape = r.ints(1);
  const auto x = r.dims(0);
  if (!shape || !x) return {};
  Dims out;
  int unknown = -1;
  for (size_t i = 0; i < shape->size(); i++) {
    MaybeSym e = (*shape)[i];
    if (e && e->is(0) && !r.n.integer("allowzero", 0)) e = i < x->size() ? (*x)[i] : MaybeSym();
    if (!e || e->is(-1)) {
      if (unknown >= 0 && !e) return out.resize(shape->size()), out;
      unknown = static_cast<int>(i);
      e = Sym(1);
    }
    out.push_back(e);
  }
  if (unknown >= 0) {
    const MaybeSym given = r.syms().product(out), all = r.syms().product(*x);
    out[static_cast<size_t>(unknown)] =
        given && all && !given->is(0) ? r.syms().floordiv(*all, *given) : MaybeSym();
  }
  return out;
}

Dims broadcast(const std::vector<Dims>& all) {
  size_t rank = 0;
  for (const Dims& d : all) rank = std::max(rank, d.size());
  Dims out(rank, Sym(1));
  for (const Dims& d : all)
    for (size_t j = 0; j < d.size(); j++) {
      MaybeSym& e = out[rank - d.size() + j];
      const MaybeSym& f = d[j];
      if (f && f->is(1)) continue;
      if ((e && e->is(1)) || (f && f->is_literal()))
        e = f;
      else if (e && e->is_literal())
        continue;
      else if (!(e && f && *e == *f))
        e = {};
    }
  return out;
}

std::optional<Dims> elementwise(const Rule& r, const Type&) {
  if (r.n.attribute("broadcast"))
    return r.dims(0);  // before opset 7 the second operand is fitted to the first
  std::vector<Dims> all;
  for (size_t i = 0; i < r.n.inputs.size(); i++) {
    auto d = r.dims(i);
    if (!d) return {};
    all.push_back(std::move(*d));
  }
  return broadcast(all);
}

std::optional<Dims> matmul(const Rule& r, const Type&) {
  auto x = r.dims(0), y = r.dims(1);
  if (!x || !y || x->size() < 2 || y->size() < 2) return {};
  const MaybeSym rows = (*x)[x->size() - 2], columns = y->back();
  Dims out = broadcast({Dims(x->begin(), x->end() - 2), Dims(y->begin(), y->end() - 2)});
  out.push_back(rows);
  out.push_back(columns);
  return out;
}

std::optional<Dims> expand(const Rule& r, const Type&) {
  const auto shape = r.ints(1);
  auto x = r.dims(0);
  if (!shape || !x) return {};
  Dims s = *shape;
  return broadcast({std::move(*x), std::move(s)});
}

std::optional<Dims> constant_of_shape(const Rule& r, const Type&) { return r.ints(0); }

std::optional<Dims> range(const Rule& r, const Type&) {
  const auto start = r.ints(0), limit = r.ints(1), delta = r.ints(2);
  if (!start || !limit || !delta || !(*delta)[0] || !(*delta)[0]->is(1)) return {};
  const MaybeSym n = r.add((*limit)[0], (*start)[0], -1);
  if (!n) return {};
  return Dims{r.syms().max(*n, Sym(0))};
}

std::optional<Dims> concat(const Rule& r, const Type& inferred) {
  if (!inferred.dims) return {};
  const int64_t rank = inferred.rank();
  int64_t axis = r.n.integer("axis", 1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return {};
  MaybeSym sum = Sym(0);
  for (size_t i = 0; i < r.n.inputs.size(); i++) {
    const auto d = r.dims(i);
    if (!d || axis >= static_cast<int64_t>(d->size())) return {};
    sum = r.add(sum, (*d)[static_cast<size_t>(axis)]);
  }
  Dims out(static_cast<size_t>(rank));
  out[static_cast<size_t>(axis)] = sum;
  return out;
}

std::optional<Dims> flatten(const Rule& r, const Type&) {
  const auto d = r.dims(0);
  if (!d) return {};
  int64_t axis = r.n.integer("axis", 1);
  if (axis < 0) axis += static_cast<int64_t>(d->size());
  if (axis < 0 || axis > static_cast<int64_t>(d->size())) return {};
  return Dims{r.syms().product({d->begin(), d->begin() + axis}),
              r.syms().product({d->begin() + axis, d->end()})};
}

MaybeSym slice_extent(const Rule& r, const MaybeSym& extent, const MaybeSym& begin,
                      const MaybeSym& end, const MaybeSym& step) {
  if (!extent || !begin || !end || !step || !step->is(1)) return {};
  const auto clamp = [&](MaybeSym x) -> MaybeSym {
    if (x->is_literal() && x->literal() < 0) x = r.add(extent, x);
    if (!x) return {};
    if (extent->is_literal() && x->is_literal())
      return Sym(std::clamp<int64_t>(x->literal(), 0, extent->literal()));
    if (x->is(0) || *x == *extent) return x;
    if (x->is_literal() && x->literal() >= INT32_MAX) return extent;
    if (!x->is_literal() && !r.syms().never_negative(*x)) return {};
    return r.syms().min(*extent, *x);
  };
  const MaybeSym b = clamp(begin), e = clamp(end);
  if (!b || !e) return {};
  const MaybeSym n = r.add(e, b, -1);
  return n ? r.syms().max(*n, Sym(0)) : MaybeSym();
}

std::optional<Dims> slice(const Rule& r, const Type&) {
  const auto x = r.dims(0);
  if (!x || r.n.inputs.size() < 3) return {};  // attribute forms are literal: ONNX does them
  const auto start = r.ints(1), end = r.ints(2), axes = r.ints(3), steps = r.ints(4);
  if ((r.has(3) && !axes) || (r.has(4) && !steps)) return {};
  const size_t k = axes ? axes->size() : start ? start->size() : end ? end->size() : SIZE_MAX;
  if (k == SIZE_MAX || (start && start->size() != k) || (end && end->size() != k) ||
      (steps && steps->size() != k))
    return {};
  Dims out = *x;
  for (size_t i = 0; i < k; i++) {
    int64_t axis = static_cast<int64_t>(i);
    if (axes) {
      if (!(*axes)[i] || !(*axes)[i]->is_literal()) return {};
      axis = (*axes)[i]->literal();
    }
    if (axis < 0) axis += static_cast<int64_t>(x->size());
    if (axis < 0 || axis >= static_cast<int64_t>(x->size())) return {};
    out[static_cast<size_t>(axis)] =
        slice_extent(r, (*x)[static_cast<size_t>(axis)], start ? (*start)[i] : MaybeSym(),
                     end ? (*end)[i] : MaybeSym(), steps ? (*steps)[i] : MaybeSym(Sym(1)));
  }
  return out;
}

struct Window {
  std::vector<int64_t> kernel, strides, pads, dilations;
};
std::optional<Window> window(const Rule& r, size_t spatial, bool kernel_from_weight) {
  Window w{r.n.integers("kernel_shape"), r.n.integers("strides"), r.n.integers("pads"),
           r.n.integers("dilations")};
  if (w.kernel.empty() && kernel_from_weight)
    if (const auto weight = r.dims(1); weight && weight->size() == spatial + 2)
      for (size_t i = 0; i < spatial; i++)
        if ((*weight)[i + 2] && (*weight)[i + 2]->is_literal())
          w.kernel.push_back((*weight)[i + 2]->literal());
  if (w.strides.empty()) w.strides.assign(spatial, 1);
  if (w.dilations.empty()) w.dilations.assign(spatial, 1);
  if (w.pads.empty()) w.pads.assign(2 * spatial, 0);
  if (w.kernel.size() != spatial || w.strides.size() != spatial || w.dilations.size() != spatial ||
      w.pads.size() != 2 * spatial)
    return {};
  return w;
}

std::optional<Dims> convolution(const Rule& r, const Type& inferred) {
  const auto x = r.dims(0);
  if (!x || x->size() < 3 || !inferred.dims || inferred.dims->size() != x->size()) return {};
  const size_t spatial = x->size() - 2;
  const auto w = window(r, spatial, r.n.proto.op_type() == "Conv");
  if (!w || r.n.integer("ceil_mode", 0)) return {};
  const std::string pad = r.n.text("auto_pad");
  Dims out(x->size());
  out[0] = (*x)[0];
  for (size_t i = 0; i < spatial; i++) {
    const MaybeSym stride = Sym(w->strides[i]);
    if (pad == "SAME_UPPER" || pad == "SAME_LOWER") {
      out[i + 2] = r.floordiv(r.add((*x)[i + 2], Sym(w->strides[i] - 1)), stride);
    } else {
      const int64_t c = (pad == "VALID" ? 0 : w->pads[i] + w->pads[i + spatial]) -
                        w->dilations[i] * (w->kernel[i] - 1) - 1;
      out[i + 2] = r.add(r.floordiv(r.add((*x)[i + 2], Sym(c)), stride), Sym(1));
    }
  }
  return out;
}

std::optional<Dims> tile(const Rule& r, const Type&) {
  const auto times = r.ints(1);
  auto x = r.dims(0);
  if (!x || !times || times->size() != x->size()) return {};
  for (size_t i = 0; i < x->size(); i++) (*x)[i] = r.mul((*x)[i], (*times)[i]);
  return x;
}

std::optional<Dims> pad(const Rule& r, const Type&) {
  auto x = r.dims(0);
  auto pads = r.ints(1);
  if (!r.has(1)) {
    pads.emplace();
    for (const int64_t p : r.n.integers("pads")) pads->push_back(Sym(p));
  }
  if (!x || !pads || pads->size() != 2 * x->size() || r.has(3)) return {};
  for (size_t i = 0; i < x->size(); i++)
    (*x)[i] = r.add(r.add((*x)[i], (*pads)[i]), (*pads)[i + x->size()]);
  return x;
}

std::optional<Dims> resize(const Rule& r, const Type&) {
  const auto x = r.dims(0);
  auto sizes = r.ints(3);
  if (!x || r.n.attribute("axes") || !sizes || sizes->size() != x->size()) return {};
  const std::string policy = r.n.text("keep_aspect_ratio_policy");
  if (!policy.empty() && policy != "stretch") return {};
  return sizes;
}

std::optional<Dims> unchanged(const Rule& r, const Type&) { return r.dims(0); }

const std::unordered_map<std::string, RuleFn>& rules() {
  static const std::unordered_map<std::string, RuleFn> table = {
      {"Add", elementwise},
      {"And", elementwise},
      {"AveragePool", convolution},
      {"Cast", unchanged},
      {"Concat", concat},
      {"ConstantOfShape", constant_of_shape},
      {"Conv", convolution},
      {"Div", elementwise},
      {"Dropout", unchanged},
      {"Equal", elementwise},
      {"Expand", expand},
      {"Flatten", flatten},
      {"Greater", elementwise},
      {"GreaterOrEqual", elementwise},
      {"Identity", unchanged},
      {"LayerNormalization", unchanged},
      {"Less", elementwise},
      {"LessOrEqual", elementwise},
      {"MatMul", matmul},
      {"Max", elementwise},
      {"MaxPool", convolution},
      {"Min", elementwise},
      {"Mod", elementwise},
      {"Mul", elementwise},
      {"Or", elementwise},
      {"PRelu", unchanged},
      {"Pad", pad},
      {"Pow", elementwise},
      {"Range", range},
      {"Relu", unchanged},
      {"Reshape", reshape},
      {"Resize", resize},
      {"Slice", slice},
      {"Softmax", unchanged},
      {"Sub", elementwise},
      {"Sum", elementwise},
      {"Tile", tile},
      {"Where", elementwise},
  };
  return table;
}

// As many keys as there are, those of the past among them. ONNX's own inference takes an extent
// that is not known for 0.
void count_keys(const Rule& r, std::vector<Type>& outputs) {
  constexpr size_t kKey = 1, kPastKey = 4, kScores = 3;
  if (outputs.size() <= kScores || !outputs[kScores].dims) return;
  const auto key = r.dims(kKey), past = r.dims(kPastKey);
  MaybeSym count;
  if (key && key->size() >= 3) count = (*key)[key->size() - 2];
  if (r.has(kPastKey)) count = past && past->size() == 4 ? r.add(count, (*past)[2]) : MaybeSym();
  outputs[kScores].dims->back() = count;
}

}  // namespace

void apply_shape_rules(Builder& builder, const NodeView& node, std::vector<Type>& outputs) {
  if (!node.proto.domain().empty()) return;
  if (node.proto.op_type() == "Attention") count_keys({builder, node}, outputs);
  Type& out = outputs[0];
  if (out.dims && std::all_of(out.dims->begin(), out.dims->end(),
                              [](const MaybeSym& d) { return d.has_value(); }))
    return;
  const auto rule = rules().find(node.proto.op_type());
  if (rule == rules().end()) return;
  const auto dims = rule->second({builder, node}, out);
  if (!dims) return;
  if (!out.is_tensor()) out.kind = O2FX_KIND_TENSOR;
  if (!out.dims) out.dims = *dims;
  if (out.dims->size() != dims->size()) return;
  for (size_t i = 0; i < dims->size(); i++) {
    MaybeSym& d = (*out.dims)[i];
    const MaybeSym& ruled = (*dims)[i];
    if (!d && ruled && !(ruled->is_literal() && ruled->literal() < 0)) d = ruled;
  }
}

}  // namespace onnx2fx::conversion
