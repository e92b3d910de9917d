// Where ONNX's shape inference stops at a symbolic extent, these go on: one rule per operator, each
// the operator's own shape equation on Syms. They only fill extents that are unknown.
#include <algorithm>
#include <unordered_map>

#include "core/shapes/elements.hpp"
#include "core/shapes/infer.hpp"
#include "core/shapes/real.hpp"
#include "core/shapes/sizes.hpp"

namespace onnx2fx::conversion {
namespace {

struct ShapeRule {
  Operands& operands;
  const NodeView& n;

  SymTable& syms() const { return operands.syms; }
  size_t size() const { return n.inputs.size(); }
  bool has(size_t i) const { return i < n.inputs.size() && n.inputs[i]; }
  /// Dims of an input; nullopt: absent, no tensor, rank unknown. Unknown extents become atoms of
  /// the value.
  std::optional<Dims> dims(size_t i) const {
    if (!has(i) || !operands.type(i).dims) return {};
    Dims d;
    for (int k = 0; k < operands.type(i).rank(); k++) d.emplace_back(operands.dim(i, k));
    return d;
  }
  /// The elements of a list of integers.
  std::optional<Elements> list(size_t i) const {
    if (!has(i)) return {};
    const Type& t = operands.type(i);
    const std::vector<MaybeSym>* all = t.is_tensor() ? operands.elements(i) : nullptr;
    if (!all || t.rank() > 1) return {};
    return Elements({static_cast<int64_t>(all->size())}, *all);
  }
  /// The one element of an input.
  MaybeSym one(size_t i) const {
    const auto all = list(i);
    return all && all->size() == 1 ? all->at(0) : MaybeSym();
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
  MaybeSym ceildiv(const MaybeSym& x, const MaybeSym& y) const {
    return x && y ? syms().ceildiv(*x, *y) : MaybeSym();
  }
  MaybeSym max(const MaybeSym& x, const MaybeSym& y) const {
    return x && y ? syms().max(*x, *y) : MaybeSym();
  }
};
using RuleFn = std::optional<Dims> (*)(const ShapeRule&, const Type& inferred);

Dims dims_in(const Elements& list) {
  Dims d;
  for (size_t i = 0; i < list.size(); i++) d.push_back(list.at(i));
  return d;
}

// One entry -1 is what is left of the elements; others that are not known stay so.
std::optional<Dims> reshape(const ShapeRule& r, const Type&) {
  const auto shape = r.list(1);
  const auto x = r.dims(0);
  if (!shape || !x) return {};
  Dims out;
  std::vector<size_t> open;
  for (size_t i = 0; i < shape->size(); i++) {
    MaybeSym e = shape->at(i);
    if (e && e->is(0) && !r.n.integer("allowzero", 0)) e = i < x->size() ? (*x)[i] : MaybeSym();
    if (e && e->is(-1)) e.reset();
    if (!e) open.push_back(i);
    out.push_back(e);
  }
  if (open.size() != 1) return out;
  out[open[0]] = Sym(1);
  const MaybeSym given = r.syms().product(out), all = r.syms().product(*x);
  out[open[0]] = given && all && !given->is(0) ? r.syms().floordiv(*all, *given) : MaybeSym();
  return out;
}

std::optional<Dims> elementwise(const ShapeRule& r, const Type&) {
  if (r.n.attribute("broadcast"))
    return r.dims(0);  // before opset 7 the second operand is fitted to the first
  Dims all;
  for (size_t i = 0; i < r.size(); i++) {
    const auto d = r.dims(i);
    if (!d) return {};
    all = Sizes(r.syms()).broadcast(all, *d);
  }
  return all;
}

std::optional<Dims> matmul(const ShapeRule& r, const Type&) {
  auto x = r.dims(0), y = r.dims(1);
  if (!x || !y || x->size() < 2 || y->size() < 2) return {};
  const MaybeSym rows = (*x)[x->size() - 2], columns = y->back();
  Dims out = Sizes(r.syms()).broadcast({x->begin(), x->end() - 2}, {y->begin(), y->end() - 2});
  out.push_back(rows);
  out.push_back(columns);
  return out;
}

std::optional<Dims> expand(const ShapeRule& r, const Type&) {
  const auto shape = r.list(1);
  auto x = r.dims(0);
  if (!shape || !x) return {};
  return Sizes(r.syms()).broadcast(*x, dims_in(*shape));
}

std::optional<Dims> constant_of_shape(const ShapeRule& r, const Type&) {
  const auto shape = r.list(0);
  return shape ? std::optional(dims_in(*shape)) : std::nullopt;
}

// Of floats only where start, limit and step are whole numbers.
std::optional<Dims> range(const ShapeRule& r, const Type&) {
  const MaybeSym start = r.one(0), limit = r.one(1), delta = r.one(2);
  if (!start || !limit || !delta || !delta->is_literal() || delta->is(0)) return {};
  if (!is_whole(r.syms(), *start) || !is_whole(r.syms(), *limit)) return {};
  const bool up = delta->literal() > 0;
  const MaybeSym span = up ? r.add(limit, start, -1) : r.add(start, limit, -1);
  const MaybeSym step = up ? delta : r.mul(delta, Sym(-1));
  const MaybeSym n = r.max(r.ceildiv(span, step), Sym(0));
  return n ? std::optional(Dims{n}) : std::nullopt;
}

std::optional<Dims> concat(const ShapeRule& r, const Type& inferred) {
  if (!inferred.dims) return {};
  const int64_t rank = inferred.rank();
  int64_t axis = r.n.integer("axis", 1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return {};
  MaybeSym sum = Sym(0);
  for (size_t i = 0; i < r.size(); i++) {
    const auto d = r.dims(i);
    if (!d || axis >= static_cast<int64_t>(d->size())) return {};
    sum = r.add(sum, (*d)[static_cast<size_t>(axis)]);
  }
  Dims out(static_cast<size_t>(rank));
  out[static_cast<size_t>(axis)] = sum;
  return out;
}

std::optional<Dims> flatten(const ShapeRule& r, const Type&) {
  const auto d = r.dims(0);
  if (!d) return {};
  int64_t axis = r.n.integer("axis", 1);
  if (axis < 0) axis += static_cast<int64_t>(d->size());
  if (axis < 0 || axis > static_cast<int64_t>(d->size())) return {};
  return Dims{r.syms().product({d->begin(), d->begin() + axis}),
              r.syms().product({d->begin() + axis, d->end()})};
}

// A bound of a slice, counted from the front and inside the axis; nullopt: not known.
MaybeSym bound_in(const ShapeRule& r, const Sym& extent, MaybeSym x) {
  if (x && x->is_literal() && x->literal() < 0) x = r.add(extent, x);
  if (!x) return {};
  if (extent.is_literal() && x->is_literal())
    return Sym(std::clamp<int64_t>(x->literal(), 0, std::max<int64_t>(extent.literal(), 0)));
  if (x->is(0) || *x == extent) return x;
  if (x->is_literal() && x->literal() >= INT32_MAX) return extent;
  return r.syms().never_negative(*x) ? r.syms().min(extent, *x) : MaybeSym();
}

MaybeSym slice_extent(const ShapeRule& r, const MaybeSym& extent, const MaybeSym& begin,
                      const MaybeSym& end, const MaybeSym& step) {
  if (!extent || !step || !step->is_literal() || step->literal() < 1) return {};
  const MaybeSym span = r.add(bound_in(r, *extent, end), bound_in(r, *extent, begin), -1);
  const MaybeSym inside = r.max(span, Sym(0));
  return step->is(1) ? inside : r.ceildiv(inside, step);
}

std::optional<Dims> slice(const ShapeRule& r, const Type&) {
  const auto x = r.dims(0);
  if (!x || r.n.opset < 10) return {};  // attributes are literal: ONNX does them
  const auto start = r.list(1), end = r.list(2), axes = r.list(3), steps = r.list(4);
  if ((r.has(3) && !axes) || (r.has(4) && !steps)) return {};
  const auto& counted = axes ? axes : start ? start : end;
  if (!counted) return {};
  for (const auto* list : {&start, &end, &steps})
    if (*list && (*list)->size() != counted->size()) return {};
  Dims out = *x;
  for (size_t i = 0; i < counted->size(); i++) {
    const auto given = axes ? axes->literal(i) : static_cast<int64_t>(i);
    const auto axis = given ? axis_in(*given, x->size()) : std::nullopt;
    if (!axis) return {};
    out[*axis] = slice_extent(r, (*x)[*axis], start ? start->at(i) : MaybeSym(),
                              end ? end->at(i) : MaybeSym(), steps ? steps->at(i) : Sym(1));
  }
  return out;
}

struct Window {
  std::vector<int64_t> kernel, strides, pads, dilations;
};
std::optional<Window> window(const ShapeRule& r, size_t spatial, bool kernel_from_weight) {
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

std::optional<Dims> convolution(const ShapeRule& r, const Type& inferred) {
  const auto x = r.dims(0);
  if (!x || x->size() < 3 || !inferred.dims || inferred.dims->size() != x->size()) return {};
  const size_t spatial = x->size() - 2;
  const auto w = window(r, spatial, r.n.proto.op_type() == "Conv");
  if (!w || r.n.integer("ceil_mode", 0)) return {};
  const std::string pad = r.n.text("auto_pad");
  Dims out(x->size());
  out[0] = (*x)[0];
  for (size_t i = 0; i < spatial; i++) {
    const MaybeSym extent = (*x)[i + 2], stride = Sym(w->strides[i]);
    if (w->strides[i] < 1) return {};
    if (pad == "SAME_UPPER" || pad == "SAME_LOWER") {
      out[i + 2] = r.ceildiv(extent, stride);
      continue;
    }
    const MaybeSym reach = r.mul(Sym(w->dilations[i]), r.add(Sym(w->kernel[i]), Sym(1), -1));
    MaybeSym room = r.add(r.add(extent, reach, -1), Sym(1), -1);
    if (pad != "VALID") room = r.add(r.add(room, Sym(w->pads[i])), Sym(w->pads[i + spatial]));
    out[i + 2] = r.add(r.floordiv(room, stride), Sym(1));
  }
  return out;
}

std::optional<Dims> tile(const ShapeRule& r, const Type&) {
  const auto times = r.list(1);
  auto x = r.dims(0);
  if (!x || !times || times->size() != x->size()) return {};
  for (size_t i = 0; i < x->size(); i++) (*x)[i] = r.mul((*x)[i], times->at(i));
  return x;
}

std::optional<Dims> pad(const ShapeRule& r, const Type&) {
  auto x = r.dims(0);
  const auto given = r.list(1);
  Dims pads = given ? dims_in(*given) : Dims();
  if (!r.has(1))
    for (const int64_t p : r.n.integers("pads")) pads.emplace_back(Sym(p));
  if (!x || pads.size() != 2 * x->size() || r.has(3)) return {};
  for (size_t i = 0; i < x->size(); i++)
    (*x)[i] = r.add(r.add((*x)[i], pads[i]), pads[i + x->size()]);
  return x;
}

std::optional<Dims> resize(const ShapeRule& r, const Type&) {
  const auto x = r.dims(0);
  const auto sizes = r.list(3);
  if (!x || r.n.attribute("axes") || !sizes || sizes->size() != x->size()) return {};
  const std::string policy = r.n.text("keep_aspect_ratio_policy");
  if (!policy.empty() && policy != "stretch") return {};
  return dims_in(*sizes);
}

std::optional<Dims> unchanged(const ShapeRule& r, const Type&) { return r.dims(0); }

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
void count_keys(const ShapeRule& r, std::vector<Type>& outputs) {
  constexpr size_t kKey = 1, kPastKey = 4, kScores = 3;
  if (outputs.size() <= kScores || !outputs[kScores].dims) return;
  const auto key = r.dims(kKey), past = r.dims(kPastKey);
  MaybeSym count;
  if (key && key->size() >= 3) count = (*key)[key->size() - 2];
  if (r.has(kPastKey)) count = past && past->size() == 4 ? r.add(count, (*past)[2]) : MaybeSym();
  outputs[kScores].dims->back() = count;
}

}  // namespace

void apply_shape_rules(Operands& operands, const NodeView& node, std::vector<Type>& outputs) {
  if (!node.proto.domain().empty()) return;
  if (node.proto.op_type() == "Attention") count_keys({operands, node}, outputs);
  Type& out = outputs[0];
  if (out.dims && std::all_of(out.dims->begin(), out.dims->end(),
                              [](const MaybeSym& d) { return d.has_value(); }))
    return;
  const auto rule = rules().find(node.proto.op_type());
  if (rule == rules().end()) return;
  const auto dims = rule->second({operands, node}, out);
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
