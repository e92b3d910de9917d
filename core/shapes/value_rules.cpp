// The value rules: what shape calculations in a graph are made of. Each computes the elements of a
// small integer or bool tensor from those of its inputs, symbolically; an element that is not known
// is nullopt.
#include <algorithm>
#include <unordered_map>

#include "core/shapes/infer.hpp"

namespace onnx2fx::conversion {
namespace {

using Ints = std::vector<MaybeSym>;
constexpr size_t kMaxElements = 4096;

struct Rule {
  Builder& b;
  const NodeView& n;

  SymTable& syms() const { return b.syms; }
  bool has(size_t i) const { return i < n.inputs.size() && n.inputs[i]; }
  const Ints* ints(size_t i) const {
    if (!has(i)) return nullptr;
    const Value& v = b.value(n.inputs[i]);
    return v.ints && v.type.is_tensor() ? &*v.ints : nullptr;
  }
  const Type& type(size_t i) const { return b.type(n.inputs[i]); }
  int rank(size_t i) const { return has(i) ? type(i).rank() : -1; }
  /// Extents of an input, if all are literals.
  std::optional<std::vector<int64_t>> shape(size_t i) const {
    if (!has(i) || !type(i).dims) return {};
    std::vector<int64_t> s;
    for (const MaybeSym& d : *type(i).dims) {
      if (!d || !d->is_literal()) return {};
      s.push_back(d->literal());
    }
    return s;
  }
  /// All elements of an input as literals.
  std::optional<std::vector<int64_t>> literals(size_t i) const {
    const Ints* x = ints(i);
    if (!x) return {};
    std::vector<int64_t> r;
    for (const MaybeSym& s : *x) {
      if (!s || !s->is_literal()) return {};
      r.push_back(s->literal());
    }
    return r;
  }
};
using Result = std::optional<Ints>;
using RuleFn = Result (*)(const Rule&);

Result shape(const Rule& r) {
  const int64_t rank = r.rank(0);
  if (rank < 0) return {};
  const auto bound = [&](int64_t x) { return std::clamp<int64_t>(x < 0 ? x + rank : x, 0, rank); };
  const int64_t begin = bound(r.n.integer("start", 0)), end = bound(r.n.integer("end", rank));
  Ints out;
  for (int64_t i = begin; i < end; i++) out.push_back(r.b.dim(r.n.inputs[0], i));
  return out;
}

Result size(const Rule& r) {
  if (r.rank(0) < 0) return {};
  Ints dims;
  for (int64_t i = 0; i < r.rank(0); i++) dims.push_back(r.b.dim(r.n.inputs[0], i));
  const MaybeSym p = r.syms().product(dims);
  return p ? Result(Ints{p}) : Result();
}

Result same(const Rule& r) {
  const Ints* x = r.ints(0);
  return x ? Result(*x) : Result();
}

Result cast(const Rule& r) {
  const Ints* x = r.ints(0);
  const int64_t to = r.n.integer("to", 0);
  if (!x || r.n.opset < 6) return {};
  if (to == onnx::TensorProto::INT64) return *x;
  Ints out;
  for (const MaybeSym& s : *x) {
    const bool literal = s && s->is_literal();
    if (to == onnx::TensorProto::INT32)
      out.push_back(!literal || s->literal() == static_cast<int32_t>(s->literal()) ? s
                                                                                   : MaybeSym());
    else if (to == onnx::TensorProto::BOOL)
      out.push_back(literal ? MaybeSym(Sym(s->literal() != 0)) : MaybeSym());
    else
      return {};
  }
  return out;
}

Result transpose(const Rule& r) {
  const Ints* x = r.ints(0);
  const auto s = r.shape(0);
  if (!x || !s) return {};
  if (s->size() < 2) return *x;
  const auto perm = r.n.integers("perm");
  if (s->size() != 2 || (perm.size() == 2 && perm[0] == 0)) return {};
  Ints out;
  for (int64_t j = 0; j < (*s)[1]; j++)
    for (int64_t i = 0; i < (*s)[0]; i++) out.push_back((*x)[static_cast<size_t>(i * (*s)[1] + j)]);
  return out;
}

Result gather(const Rule& r) {
  const Ints* x = r.ints(0);
  const auto s = r.shape(0);
  const auto index = r.literals(1);
  if (!x || !s || s->empty() || !index) return {};
  int64_t axis = r.n.integer("axis", 0);
  if (axis < 0) axis += static_cast<int64_t>(s->size());
  if (axis != 0) return {};
  const int64_t n = (*s)[0], row = n ? static_cast<int64_t>(x->size()) / n : 0;
  Ints out;
  for (int64_t k : *index) {
    if (k < 0) k += n;
    if (k < 0 || k >= n)
      throw HostError(O2FX_E_MODEL,
                      "index " + std::to_string(k) + ": expected one below " + std::to_string(n));
    out.insert(out.end(), x->begin() + k * row, x->begin() + (k + 1) * row);
  }
  return out;
}

// Slices along axis 0 of a tensor of rank 1 or 2, and along axis 1 of rank 2.
Result slice(const Rule& r) {
  const Ints* x = r.ints(0);
  const auto s = r.shape(0);
  if (!x || !s || s->empty() || s->size() > 2) return {};
  std::optional<std::vector<int64_t>> starts, ends, axes, steps;
  if (r.n.inputs.size() >= 3) {
    starts = r.literals(1), ends = r.literals(2), axes = r.literals(3), steps = r.literals(4);
    if ((r.has(3) && !axes) || (r.has(4) && !steps)) return {};
  } else {
    starts = r.n.integers("starts"), ends = r.n.integers("ends");
    if (r.n.attribute("axes")) axes = r.n.integers("axes");
  }
  if (!starts || !ends || starts->size() != 1 || ends->size() != 1) return {};
  int64_t axis = axes ? (*axes)[0] : 0;
  if (axis < 0) axis += static_cast<int64_t>(s->size());
  const int64_t step = steps ? (*steps)[0] : 1;
  if (axis < 0 || axis >= static_cast<int64_t>(s->size()) || step == 0) return {};
  const int64_t n = (*s)[static_cast<size_t>(axis)];
  const auto bound = [&](int64_t v, int64_t low, int64_t high) {
    return std::clamp<int64_t>(v < 0 ? v + n : v, low, high);
  };
  const int64_t begin = step > 0 ? bound((*starts)[0], 0, n) : bound((*starts)[0], 0, n - 1);
  const int64_t end = step > 0 ? bound((*ends)[0], 0, n) : bound((*ends)[0], -1, n - 1);
  std::vector<int64_t> picked;
  for (int64_t i = begin; step > 0 ? i < end : i > end; i += step) picked.push_back(i);
  const int64_t columns = s->size() == 2 ? (*s)[1] : 1, rows = (*s)[0];
  Ints out;
  if (axis == 0) {
    for (const int64_t i : picked)
      out.insert(out.end(), x->begin() + i * columns, x->begin() + (i + 1) * columns);
  } else {
    for (int64_t i = 0; i < rows; i++)
      for (const int64_t j : picked) out.push_back((*x)[static_cast<size_t>(i * columns + j)]);
  }
  return out;
}

Result concat(const Rule& r) {
  Ints out;
  const int64_t axis = r.n.integer("axis", 0);
  bool any = false;
  for (size_t i = 0; i < r.n.inputs.size(); i++) {
    const int rank = r.rank(i);
    if (rank < 1 || (axis != 0 && axis != -rank)) return {};
    if (const Ints* x = r.ints(i)) {
      out.insert(out.end(), x->begin(), x->end());
      any = true;
    } else {
      const auto n = r.type(i).count();
      if (!n || *n > 64) return {};
      for (int64_t k = 0; k < *n; k++) out.emplace_back();
    }
  }
  return any ? Result(out) : Result();
}

Result constant_of_shape(const Rule& r) {
  const auto shape = r.literals(0);
  if (!shape) return {};
  size_t n = 1;
  for (const int64_t d : *shape) {
    if (d < 0 || d > static_cast<int64_t>(kMaxElements)) return {};
    n *= static_cast<size_t>(d);
    if (n > kMaxElements) return {};
  }
  const auto* value = r.n.attribute("value");
  if (!value) return {};  // float 0
  const auto one = constant_ints(value->t());
  if (!one || one->size() != 1) return {};
  return Ints(n, (*one)[0]);
}

Result range(const Rule& r) {
  const auto start = r.literals(0), limit = r.literals(1), delta = r.literals(2);
  if (!start || !limit || !delta || start->size() != 1 || limit->size() != 1 ||
      delta->size() != 1 || (*delta)[0] == 0)
    return {};
  Ints out;
  const int64_t d = (*delta)[0];
  for (int64_t i = (*start)[0]; d > 0 ? i < (*limit)[0] : i > (*limit)[0]; i += d) {
    if (out.size() == 64) return {};
    out.push_back(Sym(i));
  }
  return out;
}

Result expand(const Rule& r) {
  const Ints* x = r.ints(0);
  const auto shape = r.literals(1);
  if (!x || !shape) return {};
  if (x->size() == 1 && shape->size() == 1 && (*shape)[0] > 0 &&
      (*shape)[0] <= static_cast<int64_t>(kMaxElements) && r.rank(0) <= 1)
    return Ints(static_cast<size_t>((*shape)[0]), (*x)[0]);
  return {};
}

Result reduce_prod(const Rule& r) {
  const Ints* x = r.ints(0);
  if (!x || r.rank(0) > 1 || (r.has(1) && !r.literals(1))) return {};
  const MaybeSym p = r.syms().product(*x);
  return p ? Result(Ints{p}) : Result();
}

Result where(const Rule& r) {
  const auto condition = r.ints(0);
  const Ints *x = r.ints(1), *y = r.ints(2);
  if (!condition || !x || !y) return {};
  const size_t n = std::max({condition->size(), x->size(), y->size()});
  Ints out;
  for (const Ints* v : {condition, x, y})
    if (v->size() != n && v->size() != 1) return {};
  for (size_t i = 0; i < n; i++) {
    const auto at = [&](const Ints& v) { return v[v.size() == 1 ? 0 : i]; };
    const MaybeSym c = at(*condition);
    if (c && c->is_literal())
      out.push_back(c->literal() ? at(*x) : at(*y));
    else
      out.push_back(at(*x) && at(*y) && *at(*x) == *at(*y) ? at(*x) : MaybeSym());
  }
  return out;
}

Result logical_not(const Rule& r) {
  const Ints* x = r.ints(0);
  if (!x) return {};
  Ints out;
  for (const MaybeSym& s : *x)
    out.push_back(s && s->is_literal() ? MaybeSym(Sym(s->literal() == 0)) : MaybeSym());
  return out;
}

Result negate(const Rule& r) {
  const Ints* x = r.ints(0);
  if (!x) return {};
  Ints out;
  for (const MaybeSym& s : *x) out.push_back(s ? r.syms().mul(*s, Sym(-1)) : MaybeSym());
  return out;
}

template <auto F>
Result binary(const Rule& r) {
  if (r.n.inputs.size() != 2 || r.n.attribute("broadcast") || r.n.integer("fmod", 0)) return {};
  const Ints *x = r.ints(0), *y = r.ints(1);
  if (!x || !y || r.rank(0) > 1 || r.rank(1) > 1) return {};
  if (x->size() != y->size() && x->size() != 1 && y->size() != 1) return {};
  const size_t n = x->empty() || y->empty() ? 0 : std::max(x->size(), y->size());
  Ints out;
  for (size_t i = 0; i < n; i++) {
    const MaybeSym &a = (*x)[x->size() == 1 ? 0 : i], &b = (*y)[y->size() == 1 ? 0 : i];
    out.push_back(a && b ? F(r.syms(), *a, *b) : MaybeSym());
  }
  return out;
}

// ONNX divides integers towards zero; floordiv is the same where nothing is negative.
MaybeSym divide(SymTable& t, const Sym& a, const Sym& b) {
  if (a.is_literal() && b.is_literal())
    return b.literal() == 0 || (b.literal() == -1 && a.literal() == INT64_MIN)
               ? MaybeSym()
               : Sym(a.literal() / b.literal());
  if (MaybeSym exact = t.divide_exact(a, b)) return exact;
  return t.never_negative(a) && t.never_negative(b) ? t.floordiv(a, b) : MaybeSym();
}
// A size is never negative, so it does not equal -1.
MaybeSym equal(SymTable& t, const Sym& a, const Sym& b) {
  if (const MaybeSym d = t.add(a, b, -1); d && d->is_literal()) return Sym(d->literal() == 0);
  if (a.is_literal() && a.literal() < 0 && t.never_negative(b)) return Sym(0);
  if (b.is_literal() && b.literal() < 0 && t.never_negative(a)) return Sym(0);
  return {};
}
template <class F>
MaybeSym compare(SymTable& t, const Sym& a, const Sym& b, F f) {
  const MaybeSym d = t.add(a, b, -1);
  return d && d->is_literal() ? MaybeSym(Sym(f(d->literal(), int64_t{0}))) : MaybeSym();
}
template <class F>
MaybeSym logical(const Sym& a, const Sym& b, F f) {
  return a.is_literal() && b.is_literal() ? MaybeSym(Sym(f(a.literal() != 0, b.literal() != 0)))
                                          : MaybeSym();
}

const std::unordered_map<std::string, RuleFn>& rules() {
  using S = SymTable;
  static const std::unordered_map<std::string, RuleFn> table = {
      {"Add", binary<[](S& t, const Sym& a, const Sym& b) { return t.add(a, b); }>},
      {"And",
       binary<[](S&, const Sym& a, const Sym& b) { return logical(a, b, std::logical_and<>()); }>},
      {"Cast", cast},
      {"Concat", concat},
      {"ConstantOfShape", constant_of_shape},
      {"Div", binary<divide>},
      {"Equal", binary<equal>},
      {"Expand", expand},
      {"Flatten", same},
      {"Gather", gather},
      {"Greater",
       binary<[](S& t, const Sym& a, const Sym& b) { return compare(t, a, b, std::greater<>()); }>},
      {"GreaterOrEqual", binary<[](S& t, const Sym& a, const Sym& b) {
         return compare(t, a, b, std::greater_equal<>());
       }>},
      {"Less",
       binary<[](S& t, const Sym& a, const Sym& b) { return compare(t, a, b, std::less<>()); }>},
      {"LessOrEqual", binary<[](S& t, const Sym& a, const Sym& b) {
         return compare(t, a, b, std::less_equal<>());
       }>},
      {"Max", binary<[](S& t, const Sym& a, const Sym& b) { return t.max(a, b); }>},
      {"Min", binary<[](S& t, const Sym& a, const Sym& b) { return t.min(a, b); }>},
      {"Mod", binary<[](S& t, const Sym& a, const Sym& b) { return t.mod(a, b); }>},
      {"Mul", binary<[](S& t, const Sym& a, const Sym& b) { return t.mul(a, b); }>},
      {"Neg", negate},
      {"Not", logical_not},
      {"Or",
       binary<[](S&, const Sym& a, const Sym& b) { return logical(a, b, std::logical_or<>()); }>},
      {"Range", range},
      {"ReduceProd", reduce_prod},
      {"Reshape", same},
      {"Shape", shape},
      {"Size", size},
      {"Slice", slice},
      {"Squeeze", same},
      {"Sub", binary<[](S& t, const Sym& a, const Sym& b) { return t.add(a, b, -1); }>},
      {"Transpose", transpose},
      {"Unsqueeze", same},
      {"Where", where},
  };
  return table;
}

bool trackable(const Type& t) {
  return t.is_tensor() &&
         (t.dtype == onnx::TensorProto::INT64 || t.dtype == onnx::TensorProto::INT32 ||
          t.dtype == onnx::TensorProto::BOOL);
}

std::optional<std::vector<Ints>> split(const Rule& r, size_t n_outputs) {
  const Ints* x = r.ints(0);
  if (!x || r.rank(0) != 1) return {};
  std::vector<int64_t> parts = r.n.integers("split");
  if (r.has(1)) {
    const auto given = r.literals(1);
    if (!given) return {};
    parts = *given;
  }
  if (parts.empty())
    parts.assign(n_outputs, static_cast<int64_t>((x->size() + n_outputs - 1) / n_outputs));
  std::vector<Ints> out;
  size_t at = 0;
  for (const int64_t p : parts) {
    const size_t n = std::min(x->size() - at, static_cast<size_t>(std::max<int64_t>(p, 0)));
    out.emplace_back(x->begin() + static_cast<int64_t>(at),
                     x->begin() + static_cast<int64_t>(at + n));
    at += n;
  }
  return out.size() == n_outputs && at == x->size() ? std::optional(out) : std::nullopt;
}

}  // namespace

std::vector<std::optional<Ints>> track(Builder& builder, const NodeView& node,
                                       std::vector<Type>& outputs) {
  std::vector<std::optional<Ints>> results(outputs.size());
  if (!node.proto.domain().empty() || outputs.empty() || !trackable(outputs[0])) return results;
  const Rule r{builder, node};
  if (node.proto.op_type() == "Split") {
    if (auto parts = split(r, outputs.size()))
      for (size_t i = 0; i < parts->size(); i++) results[i] = std::move((*parts)[i]);
  } else if (const auto rule = rules().find(node.proto.op_type()); rule != rules().end()) {
    results[0] = rule->second(r);
  }
  for (size_t i = 0; i < results.size(); i++) {
    if (!results[i]) continue;
    const auto n = outputs[i].count();
    if (!n && outputs[i].rank() == 1)
      outputs[i].dims = std::vector<MaybeSym>{Sym(static_cast<int64_t>(results[i]->size()))};
    else if (!n || static_cast<size_t>(*n) != results[i]->size())
      results[i].reset();
    if (results[i] && !results[i]->empty() &&
        std::none_of(results[i]->begin(), results[i]->end(),
                     [](const MaybeSym& s) { return s.has_value(); }))
      results[i].reset();
  }
  return results;
}

std::shared_ptr<const Absent> absent_behind(Builder& builder, const NodeView& node,
                                            const Type& output) {
  const std::string& op = node.proto.op_type();
  if (!trackable(output)) return nullptr;
  if (!node.proto.domain().empty() || (op != "Split" && !rules().count(op))) return nullptr;
  for (const ValueId id : node.inputs)
    if (id && builder.value(id).absent) return builder.value(id).absent;
  return nullptr;
}

}  // namespace onnx2fx::conversion
