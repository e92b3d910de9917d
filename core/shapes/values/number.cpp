#include <algorithm>
#include <string>

#include "core/shapes/real.hpp"
#include "core/shapes/values/rule.hpp"

namespace onnx2fx::conversion {
namespace {

using onnx::TensorProto;

// ---- two operands, or more

// Before opset 7 the second operand is fitted to the first.
bool broadcasts_as_numpy(const Rule& r) {
  return !r.n.attribute("broadcast") && !r.n.attribute("axis");
}

using Form = Real::Form;

MaybeSym computed(const Rule& r, Form form, const Sym& a, const Sym& b) {
  if (is_tracked_float(r.dtype(0))) return real_arithmetic(r.syms(), form, a, b, r.dtype(0));
  switch (form) {
    case Form::kAdd:
      return r.syms().add(a, b);
    case Form::kSub:
      return r.syms().add(a, b, -1);
    case Form::kMul:
      return r.syms().mul(a, b);
    default:
      return r.syms().truncdiv(a, b);
  }
}

template <class F>
Result folded(const Rule& r, F f) {
  const auto inputs = broadcasts_as_numpy(r) ? r.all() : std::nullopt;
  if (!inputs || inputs->empty()) return {};
  return elementwise(*inputs, [&](const std::vector<MaybeSym>& x) {
    MaybeSym y = x[0];
    for (size_t i = 1; i < x.size(); i++) y = y && x[i] ? f(*y, *x[i]) : MaybeSym();
    return y;
  });
}

template <Form kForm>
Result arithmetic(const Rule& r) {
  return folded(r, [&](const Sym& a, const Sym& b) { return computed(r, kForm, a, b); });
}

// Of float elements that are no whole numbers the greater one is known only between literals.
template <bool kGreatest>
MaybeSym extreme_of(const Rule& r, const Sym& a, const Sym& b) {
  if (is_whole(r.syms(), a) && is_whole(r.syms(), b))
    return kGreatest ? r.syms().max(a, b) : r.syms().min(a, b);
  const auto x = literal_of(r.syms(), a), y = literal_of(r.syms(), b);
  if (!x || !y) return {};
  return (*x < *y) == kGreatest ? b : a;
}

template <bool kGreatest>
Result extreme(const Rule& r) {
  return folded(r, [&](const Sym& a, const Sym& b) { return extreme_of<kGreatest>(r, a, b); });
}

// fmod has the sign of the dividend.
Result mod(const Rule& r) {
  const bool fmod = r.n.integer("fmod", 0) != 0;
  if (is_tracked_float(r.dtype(0))) return {};
  return folded(r, [&](const Sym& a, const Sym& b) -> MaybeSym {
    if (!fmod) return r.syms().mod(a, b);
    const MaybeSym quotient = r.syms().truncdiv(a, b);
    const MaybeSym whole = quotient ? r.syms().mul(*quotient, b) : MaybeSym();
    return whole ? r.syms().add(a, *whole, -1) : MaybeSym();
  });
}

// Integers, and squares of floats.
Result power(const Rule& r) {
  const int64_t most = is_tracked_float(r.dtype(0)) ? 2 : 8;
  return folded(r, [&](const Sym& a, const Sym& b) -> MaybeSym {
    if (!b.is_literal() || b.literal() < 0 || b.literal() > most) return {};
    MaybeSym y = Sym(1);
    for (int64_t i = 0; i < b.literal(); i++) y = y ? computed(r, Form::kMul, *y, a) : MaybeSym();
    return y;
  });
}

// ---- one operand

template <class F>
Result each(const Rule& r, F f) {
  const auto x = r.elements(0);
  if (!x) return {};
  return elementwise({*x},
                     [&](const std::vector<MaybeSym>& e) { return e[0] ? f(*e[0]) : MaybeSym(); });
}

Result negate(const Rule& r) {
  return each(r, [&](const Sym& s) { return computed(r, Form::kMul, s, Sym(-1)); });
}

Result absolute(const Rule& r) {
  return each(r, [&](const Sym& s) -> MaybeSym {
    const MaybeSym minus = computed(r, Form::kMul, s, Sym(-1));
    return minus ? extreme_of<true>(r, s, *minus) : MaybeSym();
  });
}

template <Rounding kHow>
Result rounding(const Rule& r) {
  return each(r, [&](const Sym& s) { return rounded(r.syms(), s, kHow); });
}

Result square_root(const Rule& r) {
  return each(r, [&](const Sym& s) { return real_root(r.syms(), s, r.dtype(0)); });
}

MaybeSym converted(SymTable& syms, const Sym& s, int32_t from, int32_t to) {
  const bool real = is_tracked_float(from);
  if (to == TensorProto::BOOL) {
    if (from == TensorProto::BOOL) return s;
    const MaybeSym zero = real ? real_equal(syms, s, Sym(0)) : syms.equal(s, Sym(0));
    return zero ? syms.negation(*zero) : MaybeSym();
  }
  if (is_tracked_float(to)) return real ? real_cast(syms, s, to) : real_of(syms, s, to);
  if (!real) return s;
  const MaybeSym whole = rounded(syms, s, Rounding::kTrunc);  // out of range: whatever the kernel
  return whole && syms.fits(*whole, to == TensorProto::INT64 ? 64 : 32) ? whole : MaybeSym();
}

Result converted_to(const Rule& r, int32_t to) {
  return each(r, [&](const Sym& s) { return converted(r.syms(), s, r.dtype(0), to); });
}

Result cast(const Rule& r) {
  if (r.n.opset < 6) return {};
  return converted_to(r, static_cast<int32_t>(r.n.integer("to", 0)));
}
Result cast_like(const Rule& r) { return r.has(1) ? converted_to(r, r.dtype(1)) : Result(); }

// ---- Range

Result range(const Rule& r) {
  const auto inputs = r.all();
  if (!inputs || inputs->size() != 3) return {};
  for (const Elements& e : *inputs)
    if (e.size() != 1 || (e.at(0) && !is_whole(r.syms(), *e.at(0)))) return {};
  const MaybeSym start = (*inputs)[0].at(0), limit = (*inputs)[1].at(0);
  const auto delta = (*inputs)[2].literal(0);
  const MaybeSym span = start && limit ? r.syms().add(*limit, *start, -1) : MaybeSym();
  if (!span || !span->is_literal() || !delta || *delta == 0) return {};
  const __int128 up = *delta > 0 ? 1 : -1, step = up * *delta;
  const __int128 count = (up * span->literal() + step - 1) / step;
  if (count > kMaxMade) return {};
  Tracked out{{std::max<int64_t>(static_cast<int64_t>(count), 0)}, {}};
  for (MaybeSym x = start; static_cast<int64_t>(out.elements.size()) < out.extents[0];) {
    out.elements.push_back(x);
    x = x ? r.syms().add(*x, Sym(*delta)) : MaybeSym();
  }
  return out;
}

// ---- reductions

// Of float elements only whole ones: the order in which others are summed is the kernel's.
template <class F>
MaybeSym total(const Rule& r, const std::vector<MaybeSym>& all, MaybeSym neutral, F f) {
  if (all.empty()) return neutral;
  MaybeSym y = all[0];
  for (const MaybeSym& x : all)
    if (!x || !is_whole(r.syms(), *x)) return {};
  for (size_t i = 1; i < all.size(); i++) y = y ? f(*y, *all[i]) : MaybeSym();
  return y;
}

// The axes that are reduced, as a mask; nullopt: not known.
std::optional<std::vector<bool>> reduced_axes(const Rule& r, size_t rank) {
  const int64_t since = r.n.proto.op_type() == "ReduceSum" ? 13 : 18;
  const auto axes = r.list("axes", 1, since);
  if (!axes) return {};
  const bool none = axes->empty() && r.n.opset >= since && r.n.integer("noop_with_empty_axes", 0);
  std::vector<bool> mask(rank, axes->empty() && !none);
  for (const int64_t a : *axes) {
    const auto axis = axis_in(a, rank);
    if (!axis) return {};
    mask[*axis] = true;
  }
  return mask;
}

template <class F>
Result reduced(const Rule& r, F f) {
  const auto x = r.elements(0);
  const auto mask = x ? reduced_axes(r, x->rank()) : std::nullopt;
  if (!mask) return {};
  const bool keep = r.n.integer("keepdims", 1) != 0;
  const Extents strides = strides_of(x->extents());
  Extents result, kept, kept_strides, gone, gone_strides;
  for (size_t i = 0; i < x->rank(); i++) {
    ((*mask)[i] ? gone : kept).push_back(x->extents()[i]);
    ((*mask)[i] ? gone_strides : kept_strides).push_back(strides[i]);
    if (!(*mask)[i] || keep) result.push_back((*mask)[i] ? 1 : x->extents()[i]);
  }
  if (!count_of(kept)) return {};
  Tracked out{result, {}};
  for (const size_t first : places(kept, kept_strides))
    out.elements.push_back(f(taken(*x, places(gone, gone_strides, static_cast<int64_t>(first)))));
  return out;
}

template <Form kForm>
Result reduced_by(const Rule& r) {
  return reduced(r, [&](const std::vector<MaybeSym>& all) {
    return total(r, all, Sym(kForm == Form::kMul),
                 [&](const Sym& a, const Sym& b) { return computed(r, kForm, a, b); });
  });
}

Result reduced_mean(const Rule& r) {
  return reduced(r, [&](const std::vector<MaybeSym>& all) -> MaybeSym {
    const MaybeSym sum = total(
        r, all, {}, [&](const Sym& a, const Sym& b) { return computed(r, Form::kAdd, a, b); });
    const Sym count(static_cast<int64_t>(all.size()));
    return sum ? computed(r, Form::kDiv, *sum, count) : MaybeSym();
  });
}

template <bool kGreatest>
Result reduced_extreme(const Rule& r) {
  return reduced(r, [&](const std::vector<MaybeSym>& all) {
    return total(r, all, {},
                 [&](const Sym& a, const Sym& b) { return extreme_of<kGreatest>(r, a, b); });
  });
}

constexpr NamedRule kRules[] = {
    {"Abs", absolute},
    {"Add", arithmetic<Form::kAdd>},
    {"Cast", cast},
    {"CastLike", cast_like},
    {"Ceil", rounding<Rounding::kCeil>},
    {"Div", arithmetic<Form::kDiv>},
    {"Floor", rounding<Rounding::kFloor>},
    {"Max", extreme<true>},
    {"Min", extreme<false>},
    {"Mod", mod},
    {"Mul", arithmetic<Form::kMul>},
    {"Neg", negate},
    {"Pow", power},
    {"Range", range},
    {"ReduceMax", reduced_extreme<true>},
    {"ReduceMean", reduced_mean},
    {"ReduceMin", reduced_extreme<false>},
    {"ReduceProd", reduced_by<Form::kMul>},
    {"ReduceSum", reduced_by<Form::kAdd>},
    {"Round", rounding<Rounding::kRound>},
    {"Sqrt", square_root},
    {"Sub", arithmetic<Form::kSub>},
    {"Sum", arithmetic<Form::kAdd>},
};

}  // namespace

std::span<const NamedRule> number_rules() { return kRules; }

}  // namespace onnx2fx::conversion
