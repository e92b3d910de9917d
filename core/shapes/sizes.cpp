#include "core/shapes/sizes.hpp"

#include <algorithm>
#include <cstdint>

namespace onnx2fx::conversion {

MaybeSym Sizes::add(const MaybeSym& a, const MaybeSym& b) const {
  return a && b ? table_.add(*a, *b) : MaybeSym();
}
MaybeSym Sizes::sub(const MaybeSym& a, const MaybeSym& b) const {
  return a && b ? table_.add(*a, *b, -1) : MaybeSym();
}
MaybeSym Sizes::mul(const MaybeSym& a, const MaybeSym& b) const {
  return a && b ? table_.mul(*a, *b) : MaybeSym();
}
MaybeSym Sizes::floordiv(const MaybeSym& a, const MaybeSym& b) const {
  return a && b ? table_.floordiv(*a, *b) : MaybeSym();
}
MaybeSym Sizes::ceildiv(const MaybeSym& a, const MaybeSym& b) const {
  return floordiv(add(a, sub(b, Sym(1))), b);
}
MaybeSym Sizes::max(const MaybeSym& a, const MaybeSym& b) const {
  return a && b ? table_.max(*a, *b) : MaybeSym();
}
MaybeSym Sizes::min(const MaybeSym& a, const MaybeSym& b) const {
  return a && b ? table_.min(*a, *b) : MaybeSym();
}
MaybeSym Sizes::product(std::span<const MaybeSym> all) const {
  MaybeSym r = Sym(1);
  for (const MaybeSym& x : all) r = mul(r, x);
  return r;
}

MaybeSym Sizes::broadcast(const MaybeSym& a, const MaybeSym& b) const {
  if (a && b) return table_.broadcast(*a, *b);
  const MaybeSym& known = a ? a : b;
  return known && known->is_literal() && !known->is(1) ? known : MaybeSym();
}

Dims Sizes::broadcast(const Dims& a, const Dims& b) const {
  Dims r = a.size() >= b.size() ? a : b;
  const Dims& shorter = a.size() >= b.size() ? b : a;
  const size_t offset = r.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); i++) r[offset + i] = broadcast(r[offset + i], shorter[i]);
  return r;
}

// A place of a slice once it is counted from the front and clamped: the literal `offset` from the
// front, at most the extent; or from the end, at least 0; or min(extent, any).
struct Sizes::Place {
  enum From : uint8_t { kFront, kEnd, kAny } from;
  int64_t offset = 0;
  Sym any;
};

std::optional<Sizes::Place> Sizes::place(const Sym& extent, const Sym& at) const {
  constexpr int64_t kWhole = INT32_MAX;  // exporters write it, or INT64_MAX, for "to the end"
  if (at.is_literal()) {
    if (at.literal() >= kWhole) return Place{Place::kEnd};
    if (at.literal() <= -kWhole) return Place{Place::kFront};
    if (at.literal() < 0) return Place{Place::kEnd, -at.literal()};
    return Place{Place::kFront, at.literal()};
  }
  if (at == extent) return Place{Place::kEnd};
  // extent - c counts from the end again where the extent is less than c: with c <= 2 that is 0.
  if (const MaybeSym left = table_.add(extent, at, -1); left && left->is_literal())
    if (const int64_t c = left->literal(); c > 0 && (c <= 2 || table_.never_negative(at)))
      return Place{Place::kEnd, c};
  if (table_.never_negative(at)) return Place{Place::kAny, 0, at};
  return {};
}

MaybeSym Sizes::of(const Sym& extent, const Place& p) const {
  if (p.from == Place::kFront) return p.offset ? table_.min(extent, Sym(p.offset)) : Sym();
  if (p.from == Place::kAny) return table_.min(extent, p.any);
  return p.offset ? max(sub(extent, Sym(p.offset)), Sym(0)) : extent;
}

MaybeSym Sizes::length(const Sym& extent, const Place& begin, const Place& end) const {
  const bool b_front = begin.from == Place::kFront, e_front = end.from == Place::kFront;
  const bool b_end = begin.from == Place::kEnd, e_end = end.from == Place::kEnd;
  if (b_front && begin.offset == 0) return of(extent, end);
  if ((b_front && e_front) || (b_end && e_end)) {
    const int64_t n = b_front ? end.offset - begin.offset : begin.offset - end.offset;
    const int64_t outer = b_front ? begin.offset : end.offset;
    if (n <= 0) return Sym();
    return min(max(sub(extent, Sym(outer)), Sym(0)), Sym(n));
  }
  if (b_front && e_end) return max(sub(extent, Sym(begin.offset + end.offset)), Sym(0));
  return max(sub(of(extent, end), of(extent, begin)), Sym(0));
}

MaybeSym Sizes::sliced(const MaybeSym& extent, const MaybeSym& start, const MaybeSym& end,
                       const MaybeSym& step) const {
  if (!extent || !start || !end) return {};
  const std::optional<Place> b = place(*extent, *start), e = place(*extent, *end);
  if (!b || !e) return {};
  const MaybeSym n = length(*extent, *b, *e);
  return step && step->is(1) ? n : ceildiv(n, step);
}

}  // namespace onnx2fx::conversion
